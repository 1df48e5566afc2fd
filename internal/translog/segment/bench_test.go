package segment

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkAppend is the commit throughput with 256 adders that each wait for their record, as the exchange's callers do.
func BenchmarkAppend(b *testing.B) {
	for _, adders := range []int{1, 16, 64, 256} {
		b.Run("adders="+strconv.Itoa(adders), func(b *testing.B) {
			cfg := newConfig(b)
			cfg.SegmentSize, cfg.MaxBlockBytes = 0, 0
			var commits atomic.Int64
			cfg.OnCommit = func(*Commit) { commits.Add(1) }
			mustCreate(b, cfg)
			l := mustOpen(b, cfg)
			record := make([]byte, 500)
			for i := range record {
				record[i] = byte(rand.Uint32())
			}
			b.SetBytes(int64(len(record)))
			b.ReportAllocs()
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range adders {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						batch, slot, err := l.Add(record, nil)
						if err != nil {
							b.Error(err)
							return
						}
						<-batch.Done()
						c, err := batch.Commit()
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := c.Span.Inclusion(c.First + int64(slot)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/float64(commits.Load()), "records/commit")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkVerify is the speed of verifying a whole log of 500-byte records in blocks of 64, and of opening it.
func BenchmarkVerify(b *testing.B) {
	const records = 400_000
	cfg := newConfig(b)
	cfg.SegmentSize, cfg.MaxBlockBytes, cfg.MaxBlockRecords = 0, 0, 64
	mustCreate(b, cfg)
	l := mustOpen(b, cfg)
	var last *Batch
	for i := range int64(records) {
		r := testRecord(i, 500)
		batch, _, err := l.Add(r, nil)
		for err != nil {
			<-last.Done()
			batch, _, err = l.Add(r, nil)
		}
		last = batch
	}
	mustClose(b, l)
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			report, err := Verify(b.Context(), cfg.Dir, cfg.Verifier, nil)
			if err != nil || report.Records != records {
				b.Fatal(report, err)
			}
		}
		b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			mustClose(b, mustOpen(b, cfg))
		}
	})
	b.Run("rebuild", func(b *testing.B) {
		start := time.Now()
		for b.Loop() {
			if err := (osDisk{}).remove(cfg.Dir + "/" + derivedDir + "/blocks"); err != nil {
				b.Fatal(err)
			}
			mustClose(b, mustOpen(b, cfg))
		}
		b.ReportMetric(records*float64(b.N)/time.Since(start).Seconds(), "records/s")
	})
	b.Run("record", func(b *testing.B) {
		l := mustOpen(b, cfg)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Record(rand.Int64N(records)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("inclusion", func(b *testing.B) {
		l := mustOpen(b, cfg)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Inclusion(rand.Int64N(records), records); err != nil {
				b.Fatal(err)
			}
		}
	})
}
