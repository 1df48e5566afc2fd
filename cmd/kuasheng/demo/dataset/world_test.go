package dataset

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// TestNotablePeople pins the people that documents and scripts may name. A change of the dice or of Go's generator shows
// here.
func TestNotablePeople(t *testing.T) {
	want := map[string]Person{
		"410000": {Name: "汪秋芝", IDNumber: "410204188501105565"},
		"330000": {Name: "夏淑", IDNumber: "33020318871217816X"},
		"440000": {Name: "杨倩菊", IDNumber: "441302187303090248"},
	}
	got := map[string]Person{}
	for _, region := range demoRegions() {
		got[region.Code] = generate(t, region, 99).People[0]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first people (-want +got):\n%s", diff)
	}
}

func TestPeople(t *testing.T) {
	for _, region := range demoRegions() {
		p, _ := provinceOf(region)
		w := newWorld(p, 5000, 500, 5)
		if len(w.people) != 5000 || len(w.enterprises) != 500 {
			t.Fatalf("%d people and %d enterprises", len(w.people), len(w.enterprises))
		}
		seen := map[string]bool{}
		for i, one := range w.people {
			id, err := ident.ParseCitizenID(one.id)
			if err != nil {
				t.Fatalf("person %d: %v", i, err)
			}
			if seen[one.id] {
				t.Errorf("person %d has the number of another", i)
			}
			seen[one.id] = true
			if y := id.BirthDate().Year(); y < 1850 || y > 1899 {
				t.Errorf("person %d is born in %d", i, y)
			}
			if id.Region() != region || id.AreaCode() != one.county.code || !id.BirthDate().Equal(one.birth) || id.Sex() != one.sex {
				t.Errorf("person %d disagrees with the identity number", i)
			}
			if !strings.HasPrefix(one.phone, "100") || !strings.HasPrefix(one.address, p.name()) || len([]rune(one.name)) < 2 {
				t.Errorf("person %d has telephone %s, address %s, name %s", i, one.phone, one.address, one.name)
			}
			checkFamily(t, w, i)
		}
	}
}

func checkFamily(t *testing.T, w *world, i int) {
	t.Helper()
	one := w.people[i]
	head := w.people[one.head]
	if head.household != one.household || (one.head == i) != (one.relation == householder) {
		t.Errorf("person %d lives with another head", i)
	}
	if one.spouse == none {
		if !one.wedding.IsZero() || !one.divorce.IsZero() {
			t.Errorf("person %d is married to nobody", i)
		}
		return
	}
	spouse := w.people[one.spouse]
	if spouse.spouse != i || spouse.sex == one.sex || !spouse.wedding.Equal(one.wedding) || !spouse.divorce.Equal(one.divorce) {
		t.Errorf("person %d and the spouse disagree about their marriage", i)
	}
	if one.wedding.Before(one.comingOfAge()) || one.wedding.After(today) {
		t.Errorf("person %d married on %s", i, day(one.wedding))
	}
	if !one.divorce.IsZero() && (!one.divorce.After(one.wedding) || one.divorce.After(today)) {
		t.Errorf("person %d divorced on %s", i, day(one.divorce))
	}
}

func TestEnterprises(t *testing.T) {
	for _, region := range demoRegions() {
		p, _ := provinceOf(region)
		w := newWorld(p, 100, 5000, 5)
		names, codes := map[string]bool{}, map[string]bool{}
		for i, e := range w.enterprises {
			u, err := ident.ParseUSCC(e.uscc)
			if err != nil || len(u.Warnings()) != 0 {
				t.Fatalf("enterprise %d: %v %v", i, err, u.Warnings())
			}
			if r, ok := u.Region(); !ok || r != region || names[e.name] || codes[e.uscc] {
				t.Errorf("enterprise %d: region %v, name %s", i, r, e.name)
			}
			names[e.name], codes[e.uscc] = true, true
			if e.founded.After(today) || !e.closed.IsZero() && (e.closed.Before(e.founded) || e.closed.After(today)) {
				t.Errorf("enterprise %d was founded on %s and closed on %s", i, day(e.founded), day(e.closed))
			}
		}
	}
}

func TestDepartments(t *testing.T) {
	for _, region := range demoRegions() {
		for _, d := range departments {
			u, err := ident.ParseUSCC(d.uscc(region))
			if r, ok := u.Region(); err != nil || len(u.Warnings()) != 0 || !ok || r != region {
				t.Errorf("%s of %s: %v", d.name, region.English, err)
			}
		}
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		n      int64
		places int
		want   string
	}{
		{0, 2, "0.00"}, {5, 2, "0.05"}, {123450, 2, "1234.50"}, {math.MaxInt64, 2, "92233720368547758.07"}, {1_000_001, 6, "1.000001"},
	} {
		if got := fixed(c.n, c.places); got != c.want {
			t.Errorf("fixed(%d, %d) = %s, want %s", c.n, c.places, got, c.want)
		}
	}
}

// forms are the forms that columns of each type must have in the databases.
var forms = map[string]*regexp.Regexp{
	"D": regexp.MustCompile(`^(18|19|20)\d\d-\d\d-\d\d$`),
	"T": regexp.MustCompile(`^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$`),
	"Y": regexp.MustCompile(`^\d+\.\d{2,6}$`),
	"N": regexp.MustCompile(`^\d+\.\d{1,4}$`),
	"L": regexp.MustCompile(`^[01]$`),
	"I": regexp.MustCompile(`^\d+$`),
}
