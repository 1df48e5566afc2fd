package dataset

import "strings"

// table is one department's table about one topic.
type table struct {
	topic    Topic
	name     string
	columns  []string // with SQLite's types; money and dates are TEXT, which keeps them as they were written
	indexes  []string // columns that queries look into
	subjects func(w *world) int
	rows     func(w *world, d dice, i int) []row // what the department holds about subject i
}

// row holds the values of a row in the order of the columns.
type row []any

func tables() []table {
	return []table{
		deposits(), contributions(), qualifications(), residents(), licences(), marriages(), properties(), degrees(), registrations(), changes(),
	}
}

func (w *world) countPeople() int { return len(w.people) }

func (w *world) countEnterprises() int { return len(w.enterprises) }

// create returns the statement that makes the table. STRICT keeps SQLite from turning "1234.50" into 1234.5.
func (t table) create() string {
	return "CREATE TABLE " + t.name + " (\n  " + strings.Join(t.columns, ",\n  ") + "\n) STRICT"
}

// insert returns the statement that adds n rows.
func (t table) insert(n int) string {
	values := "(?" + strings.Repeat(", ?", len(t.columns)-1) + ")"
	return "INSERT INTO " + t.name + " VALUES " + values + strings.Repeat(", "+values, n-1)
}

// index returns the statements that make the indexes.
func (t table) index() []string {
	var list []string
	for _, column := range t.indexes {
		list = append(list, "CREATE INDEX "+t.name+"_"+column+" ON "+t.name+" ("+column+")")
	}
	return list
}
