package exchange

import (
	"math"
	"time"

	"github.com/kuasheng/kuasheng/exchange/member"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/status"
)

// metrics are the exchange's figures. Labels are methods, codes and reasons: never a caller, a resource or a value.
type metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec

	suppressed prometheus.Counter // refusals that were counted and not recorded one by one
}

func newMetrics(cfg Config, s *Server) *metrics {
	m := &metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kuasheng_exchange_calls_total", Help: "Calls by method, gRPC code and reason of refusal.",
		}, []string{"method", "code", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kuasheng_exchange_call_seconds", Help: "Time of calls by method.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30},
		}, []string{"method"}),
		suppressed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kuasheng_exchange_refusals_suppressed_total", Help: "Refusals that were counted and not recorded one by one.",
		}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	cfg.Registry.MustRegister(m.calls, m.seconds, m.suppressed,
		gauge("kuasheng_exchange_log_records", "Records in the access log.", func() float64 { return float64(s.log.Size()) }),
		gauge("kuasheng_exchange_log_healthy", "1 while the access log can be written.", func() float64 {
			if s.log.Err() != nil {
				return 0
			}
			return 1
		}),
		gauge("kuasheng_exchange_resources", "Catalogue entries, withdrawn ones included.", func() float64 { return float64(s.resources.Len()) }),
		gauge("kuasheng_exchange_grants", "Grants, whatever their state.", func() float64 { return float64(s.grants.Len()) }),
		gauge("kuasheng_exchange_svid_expiry_seconds", "Seconds until the exchange's own SVID expires; negative once it has.", cfg.svidLeft),
		&replicas{s: s, desc: prometheus.NewDesc("kuasheng_exchange_node_replicas", "Replicas attached, by province that provides.", []string{"region"}, nil)},
	)
	return m
}

// svidLeft is NaN where no SVID can be had, so that it never looks like plenty of time.
func (cfg Config) svidLeft() float64 {
	svid, err := cfg.Identity.GetX509SVID()
	if err != nil {
		return math.NaN()
	}
	return svid.Certificates[0].NotAfter.Sub(cfg.now()()).Seconds()
}

// started counts a call; the function it returns is called at its end.
func (m *metrics) started(method string) func(error) {
	begin := time.Now()
	return func(err error) {
		reason := ""
		if r, _, _, ok := refusal.FromStatus(err); ok {
			reason = refusal.Name(r.Reason)
		}
		m.calls.WithLabelValues(method, status.Code(err).String(), reason).Inc()
		m.seconds.WithLabelValues(method).Observe(time.Since(begin).Seconds())
	}
}

// replicas collects what is attached at the moment of asking.
type replicas struct {
	s    *Server
	desc *prometheus.Desc
}

func (r *replicas) Describe(ch chan<- *prometheus.Desc) { ch <- r.desc }

func (r *replicas) Collect(ch chan<- prometheus.Metric) {
	page, more := r.s.members.List("", 1000)
	for _, m := range page {
		if !member.Has(m, registryv1.MemberRole_MEMBER_ROLE_PROVIDER) {
			continue // it runs no node: a 0 would raise an alarm for nothing
		}
		region := m.GetName()[len("provinces/"):]
		ch <- prometheus.MustNewConstMetric(r.desc, prometheus.GaugeValue, float64(len(r.s.hub.Attached(region))), region)
	}
	_ = more // there are 35 regions
}
