package catalogue

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
	"github.com/kuasheng/kuasheng/exchange/state"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	cataloguev1 "github.com/kuasheng/kuasheng/gen/kuasheng/catalogue/v1"
	"github.com/kuasheng/kuasheng/internal/refusal"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func newState(t testing.TB) *state.Store {
	t.Helper()
	st, err := state.Create(filepath.Join(t.TempDir(), "state"), "exchange.example", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func newCatalogue(t testing.TB) *Store {
	t.Helper()
	s, err := Open(newState(t), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fund is an entry that follows all rules.
func fund() *cataloguev1.Resource {
	text := func(zh, en string) *cataloguev1.LocalizedText { return &cataloguev1.LocalizedText{Zh: zh, En: en} }
	return &cataloguev1.Resource{
		Name: "provinces/410000/resources/307410000001-000001", Code: "307410000001/000001",
		Title:    text("住房公积金缴存信息", "Housing provident fund deposits"),
		Abstract: text("全省住房公积金缴存职工的缴存状态、基数、比例和余额", "State, base, rate and balance of every depositor of the province"),
		Provider: &cataloguev1.Department{DisplayName: "河南省住房和城乡建设厅", Uscc: "11410000MB0D00416U"},
		Format:   cataloguev1.Format_FORMAT_DATABASE,
		Fields: []*cataloguev1.Field{
			{Name: "name", Title: text("姓名", "Name"), Type: cataloguev1.FieldType_FIELD_TYPE_STRING, Mask: "name"},
			{Name: "balance", Title: text("余额", "Balance"), Type: cataloguev1.FieldType_FIELD_TYPE_CURRENCY, Unit: "CNY"},
		},
		Parameters: []*cataloguev1.Parameter{
			{Name: "id_number", Title: text("公民身份号码", ""), Type: cataloguev1.FieldType_FIELD_TYPE_STRING, Format: "citizen_identity_number", Required: true, Subject: true},
			{Name: "month", Title: text("月份", ""), Type: cataloguev1.FieldType_FIELD_TYPE_DATE},
		},
		Sharing: &cataloguev1.Sharing{
			Type: conditional, Condition: "办理政务服务事项时核验", Uses: []string{"异地贷款审核"}, Mode: cataloguev1.ShareMode_SHARE_MODE_SERVICE,
		},
		UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY, Grade: cataloguev1.Grade_GRADE_GENERAL_3, SourceDepartment: "11410000MB0D00416U",
		Related: []string{"provinces/330000/resources/307330000001-000001"},
	}
}

// basic makes the entry one of the basic class with this item.
func basic(item string) func(*cataloguev1.Resource) {
	return func(r *cataloguev1.Resource) {
		r.Name, r.Code = "provinces/410000/resources/1"+item+"410-1", "1"+item+"410/1"
	}
}

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

func publish(t testing.TB, s *Store, r *cataloguev1.Resource) *cataloguev1.Resource {
	t.Helper()
	published, err := s.Publish(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return published
}

func TestPublish(t *testing.T) {
	s := newCatalogue(t)
	in := fund()
	in.State, in.Revision, in.Withdrawer = cataloguev1.ResourceState_RESOURCE_STATE_WITHDRAWN, 99, cataloguev1.Withdrawer_WITHDRAWER_OPERATOR
	in.ProtoReflect().SetUnknown([]byte{0xfa, 0x3f, 1, 'x'})
	first := publish(t, s, in)
	if first.GetRevision() != 1 || !Published(first) || first.GetEtag() == "" || len(first.ProtoReflect().GetUnknown()) != 0 {
		t.Errorf("published %v", first)
	}
	viewed, _ := s.Get(first.GetName())
	if diff := cmp.Diff(first, viewed, protocmp.Transform()); diff != "" {
		t.Errorf("the view differs from what Publish returned:\n%s", diff)
	}

	if again := publish(t, s, fund()); again.GetRevision() != 1 || again.GetEtag() != first.GetEtag() {
		t.Errorf("publishing the same made revision %d", again.GetRevision())
	}
	changed := fund()
	changed.Title.En, changed.Etag = "Deposits", first.GetEtag()
	second := publish(t, s, changed)
	if second.GetRevision() != 2 || !proto.Equal(second.GetPublishTime(), first.GetPublishTime()) || second.GetUpdateTime().AsTime().Before(first.GetUpdateTime().AsTime()) {
		t.Errorf("changed: %v", second)
	}
	_, err := s.Publish(t.Context(), changed)
	wantRefusal(t, err, auditv1.Reason_REASON_ETAG_MISMATCH)
	absent := fund()
	basic("04")(absent)
	absent.Etag = "1"
	_, err = s.Publish(t.Context(), absent)
	wantRefusal(t, err, auditv1.Reason_REASON_ETAG_MISMATCH)

	_, err = s.Withdraw(t.Context(), second.GetName(), first.GetEtag())
	wantRefusal(t, err, auditv1.Reason_REASON_ETAG_MISMATCH)
	_, err = s.Withdraw(t.Context(), absent.GetName(), "1")
	wantRefusal(t, err, auditv1.Reason_REASON_NOT_FOUND)
	third, err := s.Withdraw(t.Context(), second.GetName(), second.GetEtag())
	if err != nil || third.GetRevision() != 3 || Published(third) {
		t.Errorf("withdrawn: %v, %v", third, err)
	}
	if again, err := s.Withdraw(t.Context(), second.GetName(), ""); err != nil || again.GetRevision() != 3 {
		t.Errorf("withdrawn again: %v, %v", again, err)
	}
	changed.Etag = ""
	if fourth := publish(t, s, changed); fourth.GetRevision() != 4 || !Published(fourth) {
		t.Errorf("published anew: %v", fourth)
	}
}

// TestOperatorWithdraws holds an operator's withdrawal against a node that publishes its file again, as it does at every attachment.
func TestOperatorWithdraws(t *testing.T) {
	const byNode, byOperator = cataloguev1.Withdrawer_WITHDRAWER_NODE, cataloguev1.Withdrawer_WITHDRAWER_OPERATOR
	type step func(*Store) (*cataloguev1.Resource, error)
	name := fund().GetName()
	changed := fund()
	changed.Title.En = "Deposits"
	publishes := func(r *cataloguev1.Resource) step {
		return func(s *Store) (*cataloguev1.Resource, error) { return s.Publish(t.Context(), r) }
	}
	nodePublishes := func(r *cataloguev1.Resource) step {
		return func(s *Store) (*cataloguev1.Resource, error) { return s.PublishByNode(t.Context(), r) }
	}
	withdraws := func(s *Store) (*cataloguev1.Resource, error) { return s.Withdraw(t.Context(), name, "") }
	nodeWithdraws := func(s *Store) (*cataloguev1.Resource, error) { return s.WithdrawByNode(t.Context(), name, "") }
	for _, c := range []struct {
		name     string
		steps    []step
		by       cataloguev1.Withdrawer // 0: it is published
		revision int64
	}{
		{"the node says the same again", []step{withdraws, nodePublishes(fund()), nodePublishes(fund())}, byOperator, 2},
		{"the node says something else", []step{withdraws, nodePublishes(changed)}, 0, 3},
		{"and that is withdrawn too", []step{withdraws, nodePublishes(changed), withdraws, nodePublishes(changed)}, byOperator, 4},
		{"the operator publishes it", []step{withdraws, publishes(fund()), nodePublishes(fund())}, 0, 3},
		{"the entry left the file and came back", []step{nodeWithdraws, nodePublishes(fund())}, 0, 3},
		{"it left the file, and an operator withdraws it as well", []step{nodeWithdraws, withdraws, nodePublishes(fund())}, byOperator, 3},
		{"an operator withdrew it before it left the file", []step{withdraws, nodeWithdraws, nodePublishes(fund())}, byOperator, 2},
		{"it left the file", []step{nodeWithdraws, nodeWithdraws}, byNode, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newCatalogue(t)
			if _, err := s.PublishByNode(t.Context(), fund()); err != nil {
				t.Fatal(err)
			}
			var last *cataloguev1.Resource
			for _, do := range c.steps {
				var err error
				if last, err = do(s); err != nil {
					t.Fatal(err)
				}
			}
			if last.GetWithdrawer() != c.by || Published(last) != (c.by == 0) || last.GetRevision() != c.revision {
				t.Errorf("%v by %v, revision %d; want by %v, revision %d", last.GetState(), last.GetWithdrawer(), last.GetRevision(), c.by, c.revision)
			}
			if got, _ := s.Get(name); !proto.Equal(got, last) {
				t.Error("what was returned is not what is kept")
			}
		})
	}
}

func TestReload(t *testing.T) {
	st := newState(t)
	s, err := Open(st, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, s, fund())
	want, err := s.Withdraw(t.Context(), fund().GetName(), "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(st, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := again.Get(want.GetName())
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("after loading (-want +got):\n%s", diff)
	}
}

// TestConcurrentPublish lets several replicas of a node publish different contents: none may be lost without a revision of its own.
func TestConcurrentPublish(t *testing.T) {
	s := newCatalogue(t)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			r := fund()
			r.Classification = fmt.Sprint(i)
			if _, err := s.Publish(t.Context(), r); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if r, _ := s.Get(fund().GetName()); r.GetRevision() != 12 {
		t.Errorf("revision %d after 12 changes", r.GetRevision())
	}
}

func TestTooLarge(t *testing.T) {
	s := newCatalogue(t)
	r := fund()
	for i := range 400 {
		r.Fields = append(r.Fields, &cataloguev1.Field{Name: fmt.Sprintf("f%d", i), Description: strings.Repeat("长", 500)})
	}
	_, err := s.Publish(t.Context(), r)
	wantRefusal(t, err, auditv1.Reason_REASON_ARGUMENT_INVALID)
}

func TestList(t *testing.T) {
	s := newCatalogue(t)
	var all []string
	for _, region := range []string{"440000", "330000", "410000"} {
		for i := range 5 {
			r := fund()
			r.Name, r.Code = fmt.Sprintf("provinces/%s/resources/307410000001-%d", region, i), fmt.Sprintf("307410000001/%d", i)
			publish(t, s, r)
		}
	}
	withdrawn := "provinces/410000/resources/307410000001-2"
	if _, err := s.Withdraw(t.Context(), withdrawn, ""); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"330000", "410000", "440000"} {
		for i := range 5 {
			all = append(all, fmt.Sprintf("provinces/%s/resources/307410000001-%d", region, i))
		}
	}
	published := append(append([]string{}, all[:7]...), all[8:]...)
	for _, c := range []struct {
		name   string
		filter Filter
		want   []string
	}{
		{"all in use", Filter{}, published},
		{"all", Filter{Withdrawn: true}, all},
		{"one province", Filter{Region: "410000"}, []string{all[5], all[6], all[8], all[9]}},
		{"one province, withdrawn too", Filter{Region: "410000", Withdrawn: true}, all[5:10]},
		{"a province without entries", Filter{Region: "110000"}, nil},
	} {
		for _, limit := range []int{1, 3, 4, 100} {
			var got []string
			for after, more := "", true; more; {
				var page []*cataloguev1.Resource
				if page, more = s.List(c.filter, after, limit); more && len(page) != limit {
					t.Fatalf("%s: %d entries on a page of %d that is not the last", c.name, len(page), limit)
				}
				for _, r := range page {
					got = append(got, r.GetName())
					after = r.GetName()
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s, %d a page (-want +got):\n%s", c.name, limit, diff)
			}
		}
	}
	if page, _ := s.List(Filter{}, "provinces/350000/resources/1", 1); len(page) != 1 || page[0].GetName() != all[5] {
		t.Errorf("after a name that does not exist: %v", page)
	}
}

func TestRegion(t *testing.T) {
	for name, want := range map[string]string{
		"provinces/410000/resources/307410000001-000001": "410000", "provinces/410000": "", "410000/resources/1": "", "": "",
	} {
		if got := Region(name); got != want {
			t.Errorf("Region(%q) = %q, want %q", name, got, want)
		}
	}
}
