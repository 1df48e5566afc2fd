package accesslog

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

// BenchmarkIndex is the cost of one query's two records, disk included.
func BenchmarkIndex(b *testing.B) {
	now := time.Now()
	encode := func(r *auditv1.Record) []byte {
		out, err := evidence.EncodeRecord(r)
		if err != nil {
			b.Fatal(err)
		}
		return out
	}
	ix, err := openIndex(b.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	if ix.db, err = openBadger(ix.dir, ix.logger); err != nil {
		b.Fatal(err)
	}
	defer ix.closeBadger()
	intents := make([][]byte, 64)
	for i := range intents {
		r := evidence.NewRecord(now.Add(time.Duration(i) * 5 * time.Millisecond))
		r.Kind = &auditv1.Record_Intent{Intent: &auditv1.Intent{
			Caller: &auditv1.Caller{SpiffeId: fmt.Sprintf("spiffe://henan.example/app/a%d", i%8), CertificateSerial: "0123456789abcdef", Region: "410000"},
			Method: "/kuasheng.query.v1.QueryService/QueryResource", Verdict: auditv1.Verdict_VERDICT_PERMITTED, Mode: auditv1.Mode_MODE_QUERY,
			Resource: fmt.Sprintf("provinces/330000/resources/307330000001-%06d", i%20), Grant: fmt.Sprintf("grants/%d", i%20),
			Fields: []string{"name", "account", "status", "balance"}, JournalOrigin: "zhejiang.example/journal", ParametersDigest: make([]byte, 32),
		}}
		intents[i] = encode(r)
	}
	batch := newBatch(0)
	b.ReportAllocs()
	for b.Loop() {
		first := batch.next
		for _, r := range intents {
			add(b, ix, batch, r)
		}
		b.StopTimer()
		outcomes := make([][]byte, len(intents))
		for i := range outcomes {
			r := evidence.NewRecord(now)
			r.Kind = &auditv1.Record_Outcome{Outcome: &auditv1.Outcome{IntentIndex: first + int64(i), Result: auditv1.Result_RESULT_ANSWERED}}
			outcomes[i] = encode(r)
		}
		b.StartTimer()
		for _, r := range outcomes {
			add(b, ix, batch, r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(intents)), "ns/query")
}

func add(b *testing.B, ix *index, batch *batch, record []byte) {
	if err := batch.add(record); err != nil {
		b.Fatal(err)
	}
	if batch.full() {
		if err := ix.flush(batch); err != nil {
			b.Fatal(err)
		}
	}
}
