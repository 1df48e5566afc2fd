package node_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"github.com/kuasheng/kuasheng/internal/refusal"
)

// logText collects what servers log.
type logText struct {
	out io.Writer

	mu   sync.Mutex
	text bytes.Buffer
}

// watchLog makes the system log into a logText as well. Servers started before do not.
func watchLog(t *testing.T, s *harness.System) *logText {
	l := &logText{out: t.Output()}
	s.Logger = slog.New(slog.NewTextHandler(l, nil))
	return l
}

func (l *logText) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	return l.out.Write(b)
}

func (l *logText) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.text.Bytes(), []byte(what))
}

// rewrite changes a replica's file as an operator does.
func rewrite(t *testing.T, r *harness.Replica, pairs ...string) {
	t.Helper()
	text, err := os.ReadFile(r.File)
	check(t, err)
	changed := strings.NewReplacer(pairs...).Replace(string(text))
	if changed == string(text) {
		t.Fatal("nothing was rewritten")
	}
	check(t, os.WriteFile(r.File, []byte(changed), 0o600))
}

// figure is a gauge of the replica.
func figure(t *testing.T, r *harness.Replica, name string) float64 {
	t.Helper()
	families, err := r.Registry.Gather()
	check(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no figure %s", name)
	return 0
}

// TestVetoWithRestart writes a veto together with keys that take a restart: the veto is in force, the others wait and are named.
func TestVetoWithRestart(t *testing.T) {
	s := harness.Start(t, nil)
	log := watchLog(t, s)
	henan := s.Province("410000", "henan.example", "one")
	zhejiang := s.Province("330000", "zhejiang.example")
	replica := henan.Run("one", "")
	s.Grant(henan, &grantv1.Grant{
		Resource: henan.ResourceName(harness.Resource), Requester: zhejiang.AppID("portal"), Fields: []string{"account_no", "balance"}, Quota: &grantv1.Quota{},
	})
	app := zhejiang.App("portal")
	ask := func() error {
		_, err := app.Query(t.Context(), harness.Query(henan, harness.PersonA))
		return err
	}
	denied := func() bool {
		r, _, _, ok := refusal.FromStatus(ask())
		return ok && r.Reason == auditv1.Reason_REASON_POLICY_DENIED
	}
	check(t, ask())
	if got := figure(t, replica, "kuasheng_node_file_current"); got != 1 {
		t.Errorf("the file is current: %v", got)
	}
	if got := figure(t, replica, "kuasheng_node_svid_expiry_seconds"); got <= 0 {
		t.Errorf("the SVID expires in %v s", got)
	}

	rewrite(t, replica, "ticket_age: 30s\n", "ticket_age: 31s\n  deny: [ { requester: \"province:330000\", reason: 暂停提供 } ]\n", "replica: one\n", "replica: two\nlisten: { metrics: '127.0.0.1:0' }\n")
	s.Eventually("denied", denied)
	s.Eventually("told", func() bool { return log.count(`keys="[replica listen.metrics policy.ticket_age]"`) > 0 })
	s.Eventually("not current", func() bool { return figure(t, replica, "kuasheng_node_file_current") == 0 })

	// A mistake takes nothing out of force.
	rewrite(t, replica, "ticket_age: 31s\n", "ticket_age: 30s\n  nonsense: 1\n")
	s.Eventually("told of the mistake", func() bool { return log.count("has mistakes") > 0 })
	if !denied() {
		t.Error("a mistake in the file ended the veto")
	}

	rewrite(t, replica, "  nonsense: 1\n", "", "replica: two\nlisten: { metrics: '127.0.0.1:0' }\n", "replica: one\n", "province:330000", "province:440000")
	s.Eventually("answered again", func() bool { return ask() == nil })
	s.Eventually("current again", func() bool { return figure(t, replica, "kuasheng_node_file_current") == 1 })
}

// TestOperatorWithdraws withdraws an entry of the file by hand: that outlives a restart of the node, and ends when the entry changes.
func TestOperatorWithdraws(t *testing.T) {
	s := harness.Start(t, nil)
	log := watchLog(t, s)
	henan := s.Province("410000", "henan.example", "one")
	replica := henan.Run("one", "")
	name := henan.ResourceName(harness.Resource)
	api := cataloguev1.NewCatalogueServiceClient(s.Dial(henan.CA, "spiffe://henan.example/operator/wang"))
	get := func() *cataloguev1.Resource {
		r, err := api.GetResource(t.Context(), &cataloguev1.GetResourceRequest{Name: name})
		check(t, err)
		return r
	}
	withdrawn, err := api.WithdrawResource(t.Context(), &cataloguev1.WithdrawResourceRequest{Name: name})
	check(t, err)
	if withdrawn.GetWithdrawer() != cataloguev1.Withdrawer_WITHDRAWER_OPERATOR {
		t.Errorf("withdrawn by %v", withdrawn.GetWithdrawer())
	}
	const warning = "an operator has withdrawn a catalogue entry"
	replica.Stop()
	replica.Start()
	s.Eventually("warned", func() bool { return log.count(warning) > 0 })
	if got := get(); got.GetRevision() != withdrawn.GetRevision() {
		t.Errorf("the node made revision %d, %v, of what an operator has withdrawn", got.GetRevision(), got.GetState())
	}
	// Another change of the file publishes all of it again, and warns no second time.
	rewrite(t, replica, "title: { zh: 明细账, en: Ledger }", "title: { zh: 明细账, en: Ledger of entries }")
	s.Eventually("published", func() bool { return log.count("resource="+harness.Bulk+" revision=2") > 0 })
	if n := log.count(warning); n != 1 || get().GetRevision() != withdrawn.GetRevision() {
		t.Errorf("warned %d times, revision %d", n, get().GetRevision())
	}
	rewrite(t, replica, "en: Housing provident fund deposits", "en: Deposits")
	s.Eventually("published", func() bool { return get().GetState() == cataloguev1.ResourceState_RESOURCE_STATE_PUBLISHED })

	// The entry leaves the file, which takes it out until it comes back.
	rewrite(t, replica, "code: "+harness.Bulk, "code: 307410000001/000003")
	bulk := henan.ResourceName(harness.Bulk)
	state := func() cataloguev1.Withdrawer {
		r, err := api.GetResource(t.Context(), &cataloguev1.GetResourceRequest{Name: bulk})
		check(t, err)
		return r.GetWithdrawer()
	}
	s.Eventually("withdrawn by the node", func() bool { return state() == cataloguev1.Withdrawer_WITHDRAWER_NODE })
	rewrite(t, replica, "code: 307410000001/000003", "code: "+harness.Bulk)
	s.Eventually("back", func() bool { return state() == cataloguev1.Withdrawer_WITHDRAWER_UNSPECIFIED })
}
