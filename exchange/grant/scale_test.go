package grant

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/kuasheng/kuasheng/exchange/catalogue"
	"github.com/kuasheng/kuasheng/exchange/member"
	"github.com/kuasheng/kuasheng/exchange/state"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The sizes of the national platform (DOMAIN.md section 7), and what the views of them may weigh.
const (
	scaleResources = 32_000
	scaleGrants    = 100_000
	scaleBytes     = 200 << 20
)

func scaleResource(i int) string {
	return fmt.Sprintf("provinces/%d0000/resources/307410000001-%06d", 11+i%32, i)
}

func scaleRequester(i int) string {
	return fmt.Sprintf("spiffe://province-%d.example/app/system-%d", i%32, i%700)
}

// scaled fills a store with entries and grants of a common size, past the rules, and opens views of it as a starting exchange does.
func scaled(t testing.TB) *Store {
	t.Helper()
	st, err := state.Create(filepath.Join(t.TempDir(), "state"), "exchange.example", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	var change state.Change
	add := func(key state.Key, m proto.Message) {
		value, err := state.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if change = append(change, state.Write{Key: key, Value: value}); len(change) == 64 {
			flush(t, st, &change)
		}
	}
	for i := range scaleResources {
		add(state.ResourceKey(scaleResource(i)), scaleEntry(i))
	}
	now := time.Now()
	for i := range scaleGrants {
		g := scaleGrant(i, now)
		add(state.GrantKey(g.GetName()), g)
	}
	flush(t, st, &change)

	started, before := time.Now(), heap()
	members, err := member.Open(st, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	resources, err := catalogue.Open(st, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	grants, err := Open(st, resources, members, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	took, weight := time.Since(started), heap()-before
	t.Logf("%d entries and %d grants: loaded in %v, %d MiB", resources.Len(), grants.Len(), took.Round(time.Millisecond), weight>>20)
	if weight > scaleBytes {
		t.Errorf("the views weigh %d MiB, more than %d", weight>>20, scaleBytes>>20)
	}
	return grants
}

func scaleGrant(i int, now time.Time) *grantv1.Grant {
	g := &grantv1.Grant{
		Name: "grants/" + newID(), Resource: scaleResource(i % scaleResources), Requester: scaleRequester(i),
		Purposes: []string{fmt.Sprintf("purpose-%d", i%50), "housing-loan-review"}, ServiceItems: []string{"000117005001"},
		State: grantv1.GrantState_GRANT_STATE_ACTIVE, Creator: fmt.Sprintf("spiffe://province-%d.example/operator/name-%d", i%32, i%300),
		CreateTime: timestamppb.New(now.Add(time.Duration(i) * time.Millisecond)), ExpireTime: timestamppb.New(now.AddDate(0, 0, i%1000)),
		Quota: &grantv1.Quota{PerSecond: 10}, Revision: 1, ResourceRevision: 1,
	}
	g.StartTime = g.CreateTime
	for n := range 8 {
		g.Fields = append(g.Fields, scaleField(i%scaleResources, n))
	}
	return g
}

func flush(t testing.TB, st *state.Store, change *state.Change) {
	t.Helper()
	if len(*change) == 0 {
		return
	}
	if _, err := st.Commit(t.Context(), *change); err != nil {
		t.Fatal(err)
	}
	*change = nil
}

// scaleField gives a tenth of the entries field names of their own; the others draw from a few hundred.
func scaleField(resource, n int) string {
	if resource%10 == 0 {
		return fmt.Sprintf("own_%d_%d", resource, n)
	}
	return fmt.Sprintf("common_field_%d", (resource*7+n)%400)
}

func scaleEntry(i int) *cataloguev1.Resource {
	r := entry(fund)
	r.Name, r.Code = scaleResource(i), fmt.Sprintf("307410000001/%06d", i)
	r.Title = &cataloguev1.LocalizedText{Zh: fmt.Sprintf("住房公积金缴存信息第%d号", i), En: fmt.Sprintf("Housing provident fund deposits %d", i)}
	r.Abstract = &cataloguev1.LocalizedText{Zh: fmt.Sprintf("第%d号：全省缴存职工的缴存状态、缴存基数、缴存比例和余额，供跨省异地贷款审核使用。", i), En: "State, base, rate and balance of every depositor of the province."}
	r.Provider.DisplayName = fmt.Sprintf("第%d厅", i%900)
	r.Fields = nil
	for n := range 12 {
		name := scaleField(i, n)
		r.Fields = append(r.Fields, &cataloguev1.Field{Name: name, Title: &cataloguev1.LocalizedText{Zh: "信息项" + name, En: "Field " + name}, Type: cataloguev1.FieldType_FIELD_TYPE_STRING, Length: 50})
	}
	for n := range 2 {
		r.Parameters = append(r.Parameters, &cataloguev1.Parameter{Name: fmt.Sprintf("parameter_%d", n), Title: &cataloguev1.LocalizedText{Zh: "公民身份号码"}, Format: "citizen_identity_number"})
	}
	r.State, r.Revision = cataloguev1.ResourceState_RESOURCE_STATE_PUBLISHED, 1
	r.PublishTime, r.UpdateTime = timestamppb.Now(), timestamppb.Now()
	return r
}

// heap is what is reachable now.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestScale(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("fills a store with 132,000 values, which weigh more and take half a minute under the race detector")
	}
	s := scaled(t)
	for _, scope := range []Scope{{All: true}, {Region: "110000"}, {}} {
		started := time.Now()
		page, _, err := s.List(scope, Filter{}, "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a page of %d out of all grants took %v", len(page), time.Since(started))
	}
}

func BenchmarkLookup(b *testing.B) {
	s := scaled(b)
	b.Run("ByRequesterResource", func(b *testing.B) {
		keys := make([][2]string, 1000)
		for i := range keys {
			keys[i] = [2]string{scaleRequester(i * 97), scaleResource(i * 97 % scaleResources)}
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key := keys[i%len(keys)]
			if len(s.ByRequesterResource(key[0], key[1])) == 0 {
				b.Fatal("not found")
			}
		}
	})
	b.Run("Resource", func(b *testing.B) {
		names := make([]string, 1000)
		for i := range names {
			names[i] = scaleResource(i * 31)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok := s.resources.Get(names[i%len(names)]); !ok {
				b.Fatal("not found")
			}
		}
	})
}
