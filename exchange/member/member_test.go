package member

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	registryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/registry/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

const (
	active    = registryv1.MemberState_MEMBER_STATE_ACTIVE
	suspended = registryv1.MemberState_MEMBER_STATE_SUSPENDED
	provider  = registryv1.MemberRole_MEMBER_ROLE_PROVIDER
	requester = registryv1.MemberRole_MEMBER_ROLE_REQUESTER
)

// registry is a store whose clock the test sets.
type registry struct {
	*Store
	state *state.Store
	dir   string
	clock time.Time
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	r := &registry{dir: filepath.Join(t.TempDir(), "state"), clock: time.Now()}
	st, err := state.Create(r.dir, "exchange.example", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	r.state = st
	if r.Store, err = Open(st, func() time.Time { return r.clock }); err != nil {
		t.Fatal(err)
	}
	return r
}

// bundle makes a new authority of a trust domain.
func bundle(t *testing.T, domain string) string {
	t.Helper()
	ca, err := devca.New(spiffeid.RequireTrustDomainFromString(domain))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := ca.Bundle().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem)
}

func journal(t *testing.T, origin string) *registryv1.JournalKey {
	t.Helper()
	_, key, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	return &registryv1.JournalKey{VerifierKey: key}
}

func henan(t *testing.T) *registryv1.Member {
	t.Helper()
	return &registryv1.Member{
		Name: "provinces/410000", Uscc: "11410000MB0D00416U", DisplayNameZh: "河南省行政审批和政务信息管理局", DisplayNameEn: "Henan",
		TrustDomain: "henan.example", BundlePem: bundle(t, "henan.example"), Roles: []registryv1.MemberRole{provider, requester},
		JournalKeys: []*registryv1.JournalKey{journal(t, "henan.example/journal/1")},
	}
}

func zhejiang(t *testing.T) *registryv1.Member {
	t.Helper()
	return &registryv1.Member{
		Name: "provinces/330000", Uscc: "11330000MB0D00336R", DisplayNameZh: "浙江省数据局", DisplayNameEn: "Zhejiang",
		TrustDomain: "zhejiang.example", BundlePem: bundle(t, "zhejiang.example"), Roles: []registryv1.MemberRole{requester},
	}
}

func (r *registry) create(t *testing.T, m *registryv1.Member) *registryv1.Member {
	t.Helper()
	created, err := r.Create(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

// places are the fields that a refusal is about.
func places(err error) []string {
	var all []string
	if e, ok := refusal.Of(err); ok {
		for _, f := range e.Fields {
			all = append(all, f.Name)
		}
	}
	return all
}

func wantRefusal(t *testing.T, err error, reason auditv1.Reason, fields ...string) {
	t.Helper()
	if !errors.Is(err, &refusal.Error{Reason: reason}) {
		t.Errorf("error %v, want %v", err, reason)
	} else if diff := cmp.Diff(fields, places(err)); len(fields) > 0 && diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
}

func TestCreate(t *testing.T) {
	r := newRegistry(t)
	in := henan(t)
	in.Etag, in.AttachedReplicas = "forged", []string{"forged"}
	m := r.create(t, in)
	if m.GetState() != active || m.GetEtag() == "" || m.GetEtag() == "forged" || m.GetAttachedReplicas() != nil || !m.GetCreateTime().AsTime().Equal(r.clock) {
		t.Errorf("created %v", m)
	}
	byRegion, _ := r.Get("410000")
	byDomain, _ := r.ByTrustDomain(spiffeid.RequireTrustDomainFromString("henan.example"))
	for _, got := range []*registryv1.Member{byRegion, byDomain} {
		if diff := cmp.Diff(m, got, protocmp.Transform()); diff != "" {
			t.Errorf("the view differs from what Create returned:\n%s", diff)
		}
	}
	if _, err := r.Bundles().GetX509BundleForTrustDomain(spiffeid.RequireTrustDomainFromString("henan.example")); err != nil {
		t.Error(err)
	}
	if _, ok := r.Get("440000"); ok {
		t.Error("a member that nobody registered")
	}
	_, err := r.Create(t.Context(), henan(t))
	wantRefusal(t, err, auditv1.Reason_REASON_ALREADY_EXISTS)

	again, err := Open(r.state, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := again.Get("410000"); !proto.Equal(m, got) {
		t.Errorf("after loading: %v, want %v", got, m)
	}
}

func TestRules(t *testing.T) {
	const argument, violated = auditv1.Reason_REASON_ARGUMENT_INVALID, auditv1.Reason_REASON_RULE_VIOLATED
	r := newRegistry(t)
	r.create(t, zhejiang(t))
	authority, _, _ := strings.Cut(bundle(t, "henan.example"), "-----END")
	for _, c := range []struct {
		name   string
		edit   func(*registryv1.Member)
		reason auditv1.Reason
		fields []string
	}{
		{"GB/T 2260: region exists", func(m *registryv1.Member) { m.Name = "provinces/990000" }, argument, []string{"member.name"}},
		{"GB 32100: check character", func(m *registryv1.Member) { m.Uscc = "11410000MB0D004160" }, argument, []string{"member.uscc"}},
		{"no identity number in a name", func(m *registryv1.Member) { m.DisplayNameZh = "河南 51010018800101001X" }, auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT, []string{"member.display_name_zh"}},
		{"no control character in a name", func(m *registryv1.Member) { m.DisplayNameEn = "Henan\x1b[2J" }, argument, []string{"member.display_name_en"}},
		{"SPIFFE: trust domain syntax", func(m *registryv1.Member) { m.TrustDomain = "Henan Example" }, argument, nil},
		{"trust domain alone", func(m *registryv1.Member) { m.TrustDomain = "spiffe://henan.example/node" }, argument, nil},
		{"trust domain is the exchange's", func(m *registryv1.Member) {
			m.TrustDomain, m.BundlePem, m.JournalKeys = "exchange.example", bundle(t, "exchange.example"), nil
		}, violated, []string{"member.trust_domain"}},
		{"trust domain is another member's", func(m *registryv1.Member) {
			m.TrustDomain, m.BundlePem, m.JournalKeys = "zhejiang.example", bundle(t, "zhejiang.example"), nil
		}, auditv1.Reason_REASON_ALREADY_EXISTS, nil},
		{"bundle without PEM", func(m *registryv1.Member) { m.BundlePem = "none" }, argument, []string{"member.bundle_pem"}},
		{"bundle cut off", func(m *registryv1.Member) { m.BundlePem += authority }, argument, []string{"member.bundle_pem"}},
		{"bundle with a private key", func(m *registryv1.Member) {
			m.BundlePem += "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
		}, argument, []string{"member.bundle_pem"}},
		{"bundle with garbage for a certificate", func(m *registryv1.Member) {
			m.BundlePem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
		}, argument, []string{"member.bundle_pem"}},
		{"X509-SVID 4.2: authority of another trust domain", func(m *registryv1.Member) { m.BundlePem = bundle(t, "anhui.example") }, argument, []string{"member.bundle_pem"}},
		{"journal key is no verifier", func(m *registryv1.Member) { m.JournalKeys[0].VerifierKey = "henan.example/journal+00000000+AAAA" }, argument, []string{"member.journal_keys[0].verifier_key"}},
		{"journal of another trust domain", func(m *registryv1.Member) { m.JournalKeys[0] = journal(t, "henan.example.org/journal") }, violated, []string{"member.journal_keys[0].verifier_key"}},
		{"two keys for one journal", func(m *registryv1.Member) {
			m.JournalKeys = append(m.JournalKeys, journal(t, "henan.example/journal/1"))
		}, violated, []string{"member.journal_keys[1].verifier_key"}},
		{"all mistakes at once", func(m *registryv1.Member) { m.Uscc, m.BundlePem, m.JournalKeys[0].VerifierKey = "x", "x", "x" }, argument, []string{"member.uscc", "member.journal_keys[0].verifier_key", "member.bundle_pem"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := henan(t)
			c.edit(m)
			_, err := r.Create(t.Context(), m)
			wantRefusal(t, err, c.reason, c.fields...)
		})
	}
	if page, more := r.List("", 10); len(page) != 1 || more {
		t.Errorf("%d members after refusals only, want 1", len(page))
	}
}

func TestConcurrentCreateYieldsOne(t *testing.T) {
	r := newRegistry(t)
	pem := bundle(t, "shared.example")
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for _, region := range []string{"110000", "120000", "130000", "140000", "150000", "210000", "220000", "230000"} {
		wg.Go(func() {
			m := &registryv1.Member{Name: "provinces/" + region, Uscc: "11410000MB0D00416U", DisplayNameZh: "省", TrustDomain: "shared.example", BundlePem: pem}
			_, err := r.Create(t.Context(), m)
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	created := 0
	for err := range errs {
		if err == nil {
			created++
			continue
		}
		wantRefusal(t, err, auditv1.Reason_REASON_ALREADY_EXISTS)
	}
	if page, _ := r.List("", 10); created != 1 || len(page) != 1 {
		t.Errorf("%d creations succeeded and %d members are listed, want one", created, len(page))
	}
}

func TestUpdate(t *testing.T) {
	r := newRegistry(t)
	first := r.create(t, henan(t))
	td := spiffeid.RequireTrustDomainFromString("henan.example")
	update := func(etag string, edit func(*registryv1.Member), mask ...string) (*registryv1.Member, error) {
		m := &registryv1.Member{Name: first.GetName(), Etag: etag}
		edit(m)
		return r.Update(t.Context(), m, mask)
	}
	second, err := update(first.GetEtag(), func(m *registryv1.Member) { m.State, m.DisplayNameEn = suspended, "not in the mask" }, "state", "etag", "name")
	if err != nil {
		t.Fatal(err)
	}
	if second.GetState() != suspended || second.GetDisplayNameEn() != "Henan" || second.GetEtag() == first.GetEtag() || Active(second) {
		t.Errorf("suspended: %v", second)
	}
	if _, err := r.Bundles().GetX509BundleForTrustDomain(td); err != nil {
		t.Errorf("a suspended member can no longer be identified: %v", err)
	}
	_, err = update(first.GetEtag(), func(m *registryv1.Member) { m.State = active }, "state")
	wantRefusal(t, err, auditv1.Reason_REASON_ETAG_MISMATCH)
	_, err = update("", func(m *registryv1.Member) { m.Name = "provinces/440000" }, "state")
	wantRefusal(t, err, auditv1.Reason_REASON_NOT_FOUND)
	for name, mask := range map[string][]string{
		"update_mask":         {"create_time"},
		"member.trust_domain": {"trust_domain"},
		"member.uscc":         {"uscc"},
		"member.state":        {"state"},
		"member.bundle_pem":   {"bundle_pem"},
	} {
		_, err = update("", func(*registryv1.Member) {}, mask...)
		wantRefusal(t, err, auditv1.Reason_REASON_ARGUMENT_INVALID, name)
	}
	_, err = update("", func(*registryv1.Member) {})
	wantRefusal(t, err, auditv1.Reason_REASON_ARGUMENT_INVALID, "update_mask")

	same, err := update("", func(m *registryv1.Member) { m.State = suspended }, "state")
	if err != nil || same.GetEtag() != second.GetEtag() {
		t.Errorf("a change that changes nothing: %v, %v", same, err)
	}
	before := r.Bundles().Generation()
	rolled := bundle(t, "henan.example")
	third, err := update("", func(m *registryv1.Member) {
		m.BundlePem, m.State, m.DisplayNameZh, m.DisplayNameEn = first.GetBundlePem()+"# new\n"+rolled, active, "河南", "Henan Province"
		m.Roles, m.JournalKeys, m.Uscc = nil, nil, "11440000MB0D00440Q"
	}, "bundle_pem", "state", "display_name_zh", "display_name_en", "roles", "journal_keys", "uscc")
	if err != nil {
		t.Fatal(err)
	}
	if third.GetBundlePem() != first.GetBundlePem()+rolled || Has(third, provider) || !Active(third) {
		t.Errorf("changed: %v", third)
	}
	if b, err := r.Bundles().GetX509BundleForTrustDomain(td); err != nil || len(b.X509Authorities()) != 2 || r.Bundles().Generation() == before {
		t.Errorf("the federation did not follow: %v", err)
	}

	// Nobody renewed for years: the member must still be there to be suspended, and a stale bundle cannot come in anew.
	r.clock = r.clock.AddDate(50, 0, 0)
	if _, err := update("", func(m *registryv1.Member) { m.State = suspended }, "state"); err != nil {
		t.Errorf("suspending a member whose authorities have expired: %v", err)
	}
	_, err = update("", func(m *registryv1.Member) { m.BundlePem = rolled }, "bundle_pem")
	wantRefusal(t, err, auditv1.Reason_REASON_ARGUMENT_INVALID, "member.bundle_pem")
}

func TestUnknownFieldsAreDropped(t *testing.T) {
	r := newRegistry(t)
	in := henan(t)
	in.ProtoReflect().SetUnknown([]byte{0xfa, 0x3f, 1, 'x'}) // field 1023
	if m := r.create(t, in); len(m.ProtoReflect().GetUnknown()) != 0 {
		t.Error("what nobody checked was stored")
	}
}

func TestList(t *testing.T) {
	r := newRegistry(t)
	var want []string
	for i, region := range []string{"330000", "110000", "410000"} {
		domain := fmt.Sprintf("p%d.example", i)
		r.create(t, &registryv1.Member{Name: "provinces/" + region, Uscc: "11410000MB0D00416U", TrustDomain: domain, BundlePem: bundle(t, domain)})
	}
	after, more := "", true
	for more {
		var page []*registryv1.Member
		if page, more = r.List(after, 1); len(page) != 1 {
			t.Fatalf("page of %d", len(page))
		}
		after = Region(page[0].GetName())
		want = append(want, after)
	}
	if diff := cmp.Diff([]string{"110000", "330000", "410000"}, want); diff != "" {
		t.Errorf("regions in pages (-want +got):\n%s", diff)
	}
	if page, more := r.List("999999", 10); len(page) != 0 || more {
		t.Errorf("after the last: %d, %v", len(page), more)
	}
}
