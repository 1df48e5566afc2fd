package harness

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/translog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// receipt is what a client holds in its hands about one access.
type receipt struct {
	access  int64
	leaf    translog.Hash // of the intent
	records []proof       // of the answer, or of an export's beginning and end
	whole   bool          // an answer, or an export to its end
}

type proof struct {
	index int64
	leaf  translog.Hash
}

func proofOf(r *auditv1.Receipt) proof {
	return proof{r.GetIndex(), translog.LeafHash(r.GetRecord())}
}

// load is a number of applications that ask until they are told to stop. Every answer is verified by the client library.
type load struct {
	t        *testing.T
	provider *Province
	cancel   context.CancelFunc
	workers  sync.WaitGroup
	answers  atomic.Int64

	mu       sync.Mutex
	receipts []receipt
	errs     map[string]int64 // by code and reason
}

// grantAll grants everything that load asks for.
func grantAll(s *System, provider, requester *Province) {
	s.Grant(provider, &grantv1.Grant{Resource: provider.ResourceName(Resource), Requester: requester.AppID("portal"), Fields: []string{"account_no", "balance", "since"}})
	s.Grant(provider, &grantv1.Grant{Resource: provider.ResourceName(Bulk), Requester: requester.AppID("portal"), Fields: []string{"seq", "note"}})
}

func newLoad(t *testing.T, provider *Province) *load {
	return &load{t: t, provider: provider, errs: map[string]int64{}}
}

// startLoad starts queries (small answers), one worker that asks for large answers and one that exports.
func startLoad(t *testing.T, provider, requester *Province, queries int) *load {
	t.Helper()
	l := newLoad(t, provider)
	var ctx context.Context
	ctx, l.cancel = context.WithCancel(context.Background())
	for i := range queries {
		person := []string{PersonA, PersonB}[i%2]
		l.run(ctx, requester.App("portal"), func(ctx context.Context, c *client.Client) error {
			return l.query(ctx, c, Query(provider, person))
		})
	}
	large := bulkQuery(provider, 4500) // some 40 KB: it goes on a stream of its own
	l.run(ctx, requester.App("portal"), func(ctx context.Context, c *client.Client) error { return l.query(ctx, c, large) })
	l.run(ctx, requester.App("portal"), l.export)
	t.Cleanup(l.stop) // before its clients are closed
	return l
}

func bulkQuery(provider *Province, from int) *queryv1.QueryResourceRequest {
	req := Query(provider, PersonA)
	req.Resource, req.Fields, req.Parameters = provider.ResourceName(Bulk), []string{"seq", "note"}, map[string]string{"from_seq": strconv.Itoa(from)}
	return req
}

func bulkExport(provider *Province) *queryv1.ExportResourceRequest {
	return &queryv1.ExportResourceRequest{
		Resource: provider.ResourceName(Bulk), Fields: []string{"seq", "note"}, Parameters: map[string]string{"from_seq": "4000"},
		Purpose: Purpose(), Operator: "clerk-17", RequestId: "req-2",
	}
}

// run asks again and again; a failed call is followed by a short pause, so that a dead server is not asked in a tight loop.
func (l *load) run(ctx context.Context, c *client.Client, ask func(context.Context, *client.Client) error) {
	l.workers.Go(func() {
		for ctx.Err() == nil {
			call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			err := ask(call, c)
			cancel()
			if err == nil {
				l.answers.Add(1)
				continue
			}
			l.note(err)
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
}

// note counts an error. Evidence that does not hold and refusals that nothing explains fail the test: whatever is killed, a client gets a proven
// answer or hears that the system is not available.
func (l *load) note(err error) {
	name := status.Code(err).String()
	if r, ok := client.RefusalOf(err); ok {
		name = r.Code.String() + " " + r.Name
	}
	var cut *client.CutError
	if errors.As(err, &cut) {
		name = "cut: " + name
	}
	if errors.Is(err, client.ErrEvidence) || errors.Is(err, client.ErrProtocol) || errors.Is(err, io.ErrUnexpectedEOF) {
		l.t.Errorf("a client refused what it got: %v", err)
	} else if code := status.Code(err); code != codes.Unavailable && !errors.Is(err, client.ErrJournalKey) {
		r, _ := client.RefusalOf(err)
		switch r.Reason {
		case auditv1.Reason_REASON_CALLER_GONE, auditv1.Reason_REASON_TICKET_AGED: // an export whose node lost its link
		default:
			l.t.Errorf("a client got %v: %v", code, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs[name]++
}

func (l *load) keep(r receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.receipts = append(l.receipts, r)
}

func (l *load) query(ctx context.Context, c *client.Client, req *queryv1.QueryResourceRequest) error {
	a, err := c.Query(ctx, req)
	if err != nil {
		return err
	}
	resp := a.Response
	l.keep(receipt{
		access: resp.GetIntentReceipt().GetIndex(), leaf: proofOf(resp.GetIntentReceipt()).leaf, records: []proof{proofOf(resp.GetAnswerReceipt())}, whole: true,
	})
	return nil
}

func (l *load) export(ctx context.Context, c *client.Client) error {
	res, err := c.Export(ctx, bulkExport(l.provider), func([]byte, int64) error { return nil })
	if err != nil {
		return err
	}
	h := res.Header
	l.keep(receipt{
		access: h.GetIntentReceipt().GetIndex(), leaf: proofOf(h.GetIntentReceipt()).leaf,
		records: []proof{proofOf(h.GetBeginReceipt()), proofOf(res.Trailer.GetEndReceipt())}, whole: true,
	})
	return nil
}

// stop lets every worker finish its call.
func (l *load) stop() {
	l.cancel()
	l.workers.Wait()
}

// waitAnswers waits until n more answers have come.
func (l *load) waitAnswers(s *System, n int64) {
	l.t.Helper()
	want := l.answers.Load() + n
	s.Eventually("answered", func() bool { return l.answers.Load() >= want })
}

// check demands that everything a client was ever given stands in both logs, byte for byte, where its receipts say.
func (l *load) check(book *ledger) {
	l.t.Helper()
	seen := map[int64]bool{}
	for _, r := range l.receipts {
		if seen[r.access] {
			l.t.Errorf("access %d was answered twice", r.access)
		}
		seen[r.access] = true
		if r.access >= int64(len(book.leaves)) || book.leaves[r.access] != r.leaf {
			l.t.Errorf("the intent of access %d is not in the log as its receipt says", r.access)
			continue
		}
		for _, p := range r.records {
			if p.index >= int64(len(book.journal)) || book.journal[p.index] != p.leaf {
				l.t.Errorf("record %d of the journal, about access %d, is not what its receipt says", p.index, r.access)
			}
		}
		last := r.records[len(r.records)-1]
		switch got := book.result(r.access); got {
		case auditv1.Result_RESULT_ANSWERED, auditv1.Result_RESULT_RECOVERED_ANSWERED:
		default:
			l.t.Errorf("access %d was answered (record %d) and its outcome is %v", r.access, last.index, got)
		}
	}
}
