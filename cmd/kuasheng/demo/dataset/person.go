package dataset

import (
	"time"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// Births lie between these years, always: see the package comment.
const (
	firstBirth = 1850
	lastBirth  = 1899
)

// person is what several departments know about someone.
type person struct {
	id, name  string
	sex       ident.Sex
	birth     time.Time
	county    county
	address   string
	nation    nation
	education grade
	phone     string
	household string
	relation  relation
	head      int // index of the household's head
	spouse    int // index, none if never married
	wedding   time.Time
	divorce   time.Time // zero while married
	employer  int       // index, none if not employed
	hired     time.Time // by the employer
	salary    int64     // a month, in fen; of who has no employer as well
}

// none is the index of nobody.
const none = -1

// relation is a relation to the head of the household with its GB/T 4761 code.
type relation struct{ code, name string }

var (
	householder = relation{"02", "户主"}
	husband     = relation{"11", "夫"}
	wife        = relation{"12", "妻"}
	son         = relation{"20", "子"}
	daughter    = relation{"30", "女"}
)

// grade is a level of education with its GB/T 4658 code.
type grade struct{ code, name string }

var grades = [...]grade{
	{"10", "研究生教育"}, {"20", "大学本科"}, {"30", "大学专科"}, {"60", "普通高级中学"}, {"70", "初级中学"},
}

// university reports whether the grade ends with a degree.
func (g grade) university() bool { return g.code <= "20" }

// born is the birth that the other dates follow from: a hundred years later.
func (p person) born() time.Time { return p.birth.AddDate(100, 0, 0) }

// age is the age in years that a person of the demo acts.
func (p person) age() int { return today.Year() - p.born().Year() }

// comingOfAge is the day from which a person may marry: men at 22, women at 20.
func (p person) comingOfAge() time.Time {
	if p.sex == ident.Male {
		return p.born().AddDate(22, 0, 0)
	}
	return p.born().AddDate(20, 0, 0)
}

// marital returns the marital status with its GB/T 2261.2 code.
func (p person) marital() (code, name string) {
	switch {
	case p.spouse == none:
		return "10", "未婚"
	case !p.divorce.IsZero():
		return "40", "离婚"
	}
	return "20", "已婚"
}
