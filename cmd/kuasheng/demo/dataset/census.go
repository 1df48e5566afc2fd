package dataset

import (
	"fmt"
	"time"

	"github.com/kuasheng/kuasheng/internal/ident"
)

// census makes the people of a province, household by household.
type census struct {
	dice
	province   province
	people     []person
	used       map[string]bool // first 17 digits of identity numbers
	households int
}

// settle adds households until there are at least n people.
func (c *census) settle(n int) {
	for len(c.people) < n {
		c.settleHousehold()
	}
	c.cut(n)
}

// cut removes the people from n on. A household is written as one block, so only the last couple can be torn: who stays
// behind is single.
func (c *census) cut(n int) {
	c.people = c.people[:n]
	for i := max(0, n-maxHousehold); i < n; i++ {
		if p := &c.people[i]; p.spouse >= n {
			p.spouse, p.wedding, p.divorce = none, time.Time{}, time.Time{}
		}
	}
}

// maxHousehold is the largest household that is made: a couple and two children.
const maxHousehold = 4

func (c *census) settleHousehold() {
	home := c.newHome()
	head := c.add(home, c.sex(), c.between(firstBirth, 1895), householder)
	if c.chance(20) {
		return
	}
	spouse := c.addSpouse(home, head)
	if c.chance(6) {
		c.divorce(head, spouse)
		return
	}
	for range c.between(0, maxHousehold-2) {
		c.addChild(home, head)
	}
}

// settleCouple makes two people of working age, married to each other: the kind that has a record everywhere.
func (c *census) settleCouple() {
	home := c.newHome()
	head := c.add(home, c.sex(), c.between(1872, 1888), householder)
	spouse := c.addSpouse(home, head)
	c.people[head].education, c.people[spouse].education = grades[1], grades[1]
}

// home is what the members of a household share.
type home struct {
	county    county
	address   string
	household string
	nation    nation
}

func (c *census) newHome() home {
	h := home{county: pick(c.dice, c.province.counties), nation: nation{"01", "汉族"}}
	c.households++
	h.household = fmt.Sprintf("%s%09d", h.county.code, c.households)
	h.address = address(c.dice, c.province, h.county)
	if c.chance(4) {
		h.nation = pick(c.dice, c.province.nations)
	}
	return h
}

func (c *census) sex() ident.Sex {
	if c.chance(50) {
		return ident.Male
	}
	return ident.Female
}

// add makes a person and returns the index. Until someone else is said to be, everybody is the head.
func (c *census) add(h home, sex ident.Sex, year int, r relation) int {
	birth := c.day(date(year, time.January, 1), date(year, time.December, 31))
	c.people = append(c.people, person{
		id: c.number(h.county, birth, sex), name: c.name(sex), sex: sex, birth: birth,
		county: h.county, address: h.address, nation: h.nation, education: c.education(), phone: "100" + c.digits(8),
		household: h.household, relation: r, head: len(c.people), spouse: none, employer: none,
	})
	return len(c.people) - 1
}

func (c *census) addSpouse(h home, head int) int {
	sex, r := ident.Female, wife
	if c.people[head].sex == ident.Female {
		sex, r = ident.Male, husband
	}
	year := c.people[head].birth.Year() + c.between(-3, 3)
	spouse := c.add(h, sex, min(max(year, firstBirth), lastBirth), r)
	a, b := &c.people[head], &c.people[spouse]
	b.head, a.spouse, b.spouse = head, spouse, head
	earliest := later(a.comingOfAge(), b.comingOfAge())
	a.wedding = earlier(earliest.AddDate(0, 0, c.between(0, 1500)), today)
	b.wedding = a.wedding
	return spouse
}

// divorce dissolves a marriage; the spouse moves into a household of their own.
func (c *census) divorce(head, spouse int) {
	a, b := &c.people[head], &c.people[spouse]
	a.divorce = c.day(a.wedding.AddDate(1, 0, 0), earlier(a.wedding.AddDate(15, 0, 0), today))
	if a.divorce.After(today) {
		a.divorce = time.Time{}
		return
	}
	b.divorce = a.divorce
	h := c.newHome()
	b.address, b.household, b.relation, b.head = h.address, h.household, householder, spouse
}

func (c *census) addChild(h home, head int) {
	year := c.people[head].wedding.Year() - 100 + c.between(1, 6)
	if year > lastBirth {
		return
	}
	sex, r := ident.Female, daughter
	if c.chance(51) {
		sex, r = ident.Male, son
	}
	child := &c.people[c.add(h, sex, year, r)]
	child.head = head
	// Children carry the father's name.
	father := c.people[head]
	if father.sex != ident.Male {
		father = c.people[father.spouse]
	}
	child.name = string([]rune(father.name)[:1]) + string([]rune(child.name)[1:])
}

func (c *census) education() grade {
	switch n := c.between(1, 100); {
	case n <= 4:
		return grades[0]
	case n <= 30:
		return grades[1]
	case n <= 52:
		return grades[2]
	case n <= 80:
		return grades[3]
	}
	return grades[4]
}

// number makes an identity number that nobody else in the province has. The 17th digit is odd for men.
func (c *census) number(at county, birth time.Time, sex ident.Sex) string {
	for {
		serial := c.between(0, 499) * 2
		if sex == ident.Male {
			serial++
		}
		first17 := at.code + birth.Format("20060102") + fmt.Sprintf("%03d", serial)
		if serial == 0 || c.used[first17] {
			continue
		}
		c.used[first17] = true
		// The only error is a county without a six-digit code, which the tests refuse.
		check, _ := ident.CitizenIDCheck(first17)
		return first17 + string(check)
	}
}
