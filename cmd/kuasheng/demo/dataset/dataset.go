package dataset

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kuasheng/kuasheng/internal/ident"
)

var (
	// ErrRegion means a province that the demo has no departments and counties for.
	ErrRegion = errors.New("the demo has no data for this region")
	// ErrSize means more or fewer people or enterprises than can be made.
	ErrSize = errors.New("number out of range")
)

// Bounds of a province. The lower one is what the manifest lists. Above the upper ones the world, which is made in memory,
// would take more than a gigabyte, and names of enterprises would run out.
const (
	notable        = 10
	maxPeople      = 1_000_000
	maxEnterprises = 100_000
)

// Manifest says what [Generate] made: enough to ask for something that is there.
type Manifest struct {
	Region      string       `json:"region"`
	Seed        uint64       `json:"seed"`
	People      []Person     `json:"people"`      // ten, the same for every seed, with a record in each table about people
	Enterprises []Enterprise `json:"enterprises"` // ten, the same for every seed
	Files       []File       `json:"files"`
}

// Person is a synthetic person.
type Person struct {
	Name     string `json:"name"`
	IDNumber string `json:"id_number"`
}

// Enterprise is a synthetic enterprise.
type Enterprise struct {
	Name string `json:"name"`
	USCC string `json:"uscc"`
}

// File is one department's database.
type File struct {
	Source string         `json:"source"` // its name in the node's configuration
	Path   string         `json:"path"`
	Rows   map[string]int `json:"rows"` // by table
}

// Generate writes the databases of a province's departments to dir, which is made if it does not exist. Each file appears
// whole or not at all and replaces one of the same name in one step. progress may be nil; it is called now and then, by
// the caller's goroutine, with the share that is done.
func Generate(ctx context.Context, dir string, region ident.Region, people, enterprises int, seed uint64, progress func(done, total int)) (Manifest, error) {
	p, ok := provinceOf(region)
	if !ok {
		return Manifest{}, fmt.Errorf("generating data for region %s: %w", region, ErrRegion)
	}
	if people < notable || people > maxPeople {
		return Manifest{}, fmt.Errorf("generating %d people, want %d to %d: %w", people, notable, maxPeople, ErrSize)
	}
	if enterprises < notable || enterprises > maxEnterprises {
		return Manifest{}, fmt.Errorf("generating %d enterprises, want %d to %d: %w", enterprises, notable, maxEnterprises, ErrSize)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Manifest{}, fmt.Errorf("making the directory of the databases: %w", err)
	}
	w := newWorld(p, people, enterprises, seed)
	m := Manifest{Region: region.Code, Seed: seed}
	for _, one := range w.people[:notable] {
		m.People = append(m.People, Person{Name: one.name, IDNumber: one.id})
	}
	for _, one := range w.enterprises[:notable] {
		m.Enterprises = append(m.Enterprises, Enterprise{Name: one.name, USCC: one.uscc})
	}
	meter := newMeter(p.tables(), w, progress)
	for _, source := range p.sources() {
		path := filepath.Join(dir, source.file())
		rows, err := writeFile(ctx, path, w, p.tablesOf(source), meter)
		if err != nil {
			return Manifest{}, fmt.Errorf("writing the database of source %s: %w", source, err)
		}
		m.Files = append(m.Files, File{Source: string(source), Path: path, Rows: rows})
	}
	return m, nil
}

// meter counts the subjects that were written and reports them in steps that are worth drawing.
type meter struct {
	done, total, step int
	report            func(done, total int)
}

func newMeter(tables []table, w *world, report func(done, total int)) *meter {
	m := &meter{report: report}
	for _, t := range tables {
		m.total += t.subjects(w)
	}
	m.step = max(1, m.total/100)
	return m
}

func (m *meter) add() {
	m.done++
	if m.report != nil && (m.done%m.step == 0 || m.done == m.total) {
		m.report(m.done, m.total)
	}
}
