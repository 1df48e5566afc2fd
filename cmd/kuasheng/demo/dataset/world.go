package dataset

import "time"

// world is all that the departments of a province know, before each writes down its part. It is read-only once made.
type world struct {
	province    province
	seed        uint64
	people      []person
	enterprises []enterprise
}

// newWorld makes a province. The first people and enterprises come from dice that no seed moves.
func newWorld(p province, people, enterprises int, seed uint64) *world {
	c := &census{
		dice: newDice(0, p.region.Code, "notable people"), province: p,
		people: make([]person, 0, people+maxHousehold), used: make(map[string]bool, people),
	}
	for len(c.people) < notable {
		c.settleCouple()
	}
	c.dice = newDice(seed, p.region.Code, "people")
	c.settle(people)

	r := &register{
		dice: newDice(0, p.region.Code, "notable enterprises"), province: p,
		people: people, enterprises: make([]enterprise, 0, enterprises), names: make(map[string]bool, enterprises),
	}
	for i := range notable {
		r.open(i)
	}
	r.dice = newDice(seed, p.region.Code, "enterprises")
	for len(r.enterprises) < enterprises {
		r.open(r.IntN(people))
	}

	w := &world{province: p, seed: seed, people: c.people, enterprises: r.enterprises}
	w.employ(newDice(seed, p.region.Code, "employment"))
	return w
}

// employ gives most people of working age an employer that is in business.
func (w *world) employ(d dice) {
	for i := range w.people {
		p := &w.people[i]
		p.salary = salary(d)
		employer, until := d.IntN(len(w.enterprises)), date(2026, time.June, 30)
		if i < notable {
			employer, until = i, date(2023, time.December, 31)
		} else if p.age() > 60 || !d.chance(85) || !w.enterprises[employer].closed.IsZero() {
			continue
		}
		p.employer = employer
		adult := later(p.born().AddDate(22, 0, 0), date(2000, time.January, 1))
		p.hired = d.day(later(adult, w.enterprises[employer].founded), until)
	}
}

// salary makes a month's pay in fen.
func salary(d dice) int64 {
	return int64(d.between(249_000, 900_000) + d.IntN(10)*d.IntN(10)*d.between(0, 30_000))
}

// employer returns a person's employer; false for who has none.
func (w *world) employer(p person) (enterprise, bool) {
	if p.employer == none {
		return enterprise{}, false
	}
	return w.enterprises[p.employer], true
}
