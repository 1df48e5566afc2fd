package node

import (
	"math"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are a node's figures. Labels are states and reasons: never a caller, a resource or a value.
type metrics struct {
	answers *prometheus.CounterVec
	rows    prometheus.Counter
	source  prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, n *Node) *metrics {
	m := &metrics{
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kuasheng_node_answers_total", Help: "Records of tickets by state and reason.",
		}, []string{"state", "reason"}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{Name: "kuasheng_node_rows_total", Help: "Rows that left the province."}),
		source: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kuasheng_node_source_seconds", Help: "Time that sources took.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10},
		}),
	}
	gauge := func(name, help string, value func() bool) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			if value() {
				return 1
			}
			return 0
		})
	}
	reg.MustRegister(m.answers, m.rows, m.source,
		gauge("kuasheng_node_attached", "1 while the node is attached to an exchange.", func() bool { return n.client != nil && n.client.Attached() }),
		gauge("kuasheng_node_journal_healthy", "1 while the journal can be written.", func() bool { return n.journal.Err() == nil }),
		gauge("kuasheng_node_file_current", "1 while the file on disk is in force, 0 while it has mistakes or keys that wait for a restart.", n.current.Load),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "kuasheng_node_svid_expiry_seconds", Help: "Seconds until the node's own SVID expires; negative once it has.",
		}, n.svidLeft),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "kuasheng_node_journal_records", Help: "Records in the journal."}, func() float64 { return float64(n.journal.Size()) }),
	)
	return m
}

// svidLeft is NaN where no SVID can be had, so that it never looks like plenty of time.
func (n *Node) svidLeft() float64 {
	svid, err := n.cfg.Identity.GetX509SVID()
	if err != nil {
		return math.NaN()
	}
	return svid.Certificates[0].NotAfter.Sub(n.cfg.now()()).Seconds()
}

// answered counts a record.
func (m *metrics) answered(a *auditv1.Answer) {
	reason := ""
	if a.GetReason() != auditv1.Reason_REASON_UNSPECIFIED {
		reason = refusal.Name(a.GetReason())
	}
	m.answers.WithLabelValues(a.GetState().String(), reason).Inc()
	if a.GetSourceDuration() != nil {
		m.source.Observe(a.GetSourceDuration().AsDuration().Seconds())
	}
	m.rows.Add(float64(a.GetRowCount()))
}
