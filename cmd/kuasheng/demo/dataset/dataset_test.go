package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kuasheng/kuasheng/internal/ident"
)

func demoRegions() []ident.Region {
	return []ident.Region{henan().region, zhejiang().region, guangdong().region}
}

// generate makes a small province.
func generate(t *testing.T, region ident.Region, seed uint64) Manifest {
	t.Helper()
	m, err := Generate(t.Context(), t.TempDir(), region, 400, 60, seed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestGenerateIsReproducible(t *testing.T) {
	digests := func(m Manifest) map[string][32]byte {
		list := map[string][32]byte{}
		for _, f := range m.Files {
			data, err := os.ReadFile(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			list[f.Source] = sha256.Sum256(data)
		}
		return list
	}
	for _, region := range demoRegions() {
		one, two, other := generate(t, region, 7), generate(t, region, 7), generate(t, region, 8)
		if diff := cmp.Diff(digests(one), digests(two)); diff != "" {
			t.Errorf("%s: equal arguments give different files:\n%s", region.English, diff)
		}
		for source, digest := range digests(other) {
			if digests(one)[source] == digest {
				t.Errorf("%s: the seed does not change source %s", region.English, source)
			}
		}
		if diff := cmp.Diff(one.People, other.People); diff != "" {
			t.Errorf("%s: the seed changes the notable people:\n%s", region.English, diff)
		}
		if diff := cmp.Diff(one.Enterprises, other.Enterprises); diff != "" {
			t.Errorf("%s: the seed changes the notable enterprises:\n%s", region.English, diff)
		}
	}
}

func TestGenerateManifest(t *testing.T) {
	for _, region := range demoRegions() {
		m := generate(t, region, 1)
		if len(m.People) != 10 || len(m.Enterprises) != 10 || m.Region != region.Code || m.Seed != 1 {
			t.Errorf("manifest of %s: %+v", region.English, m)
		}
		p, _ := provinceOf(region)
		for _, f := range m.Files {
			if entries, err := filepath.Glob(f.Path + "*"); err != nil || len(entries) != 1 {
				t.Errorf("%s: files beside the database: %v, %v", f.Source, entries, err)
			}
			db := open(t, f.Path)
			for _, table := range p.tablesOf(Source(f.Source)) {
				var n int
				if err := db.QueryRow("SELECT count(*) FROM " + table.name).Scan(&n); err != nil || n == 0 || n != f.Rows[table.name] {
					t.Errorf("%s.%s: %d rows, manifest says %d, %v", f.Source, table.name, n, f.Rows[table.name], err)
				}
			}
		}
		for _, person := range m.People {
			if _, err := ident.ParseCitizenID(person.IDNumber); err != nil {
				t.Errorf("%s: %v", person.Name, err)
			}
		}
		for _, enterprise := range m.Enterprises {
			if u, err := ident.ParseUSCC(enterprise.USCC); err != nil || len(u.Warnings()) != 0 {
				t.Errorf("%s: %v %v", enterprise.Name, err, u.Warnings())
			}
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	region := henan().region
	sichuan, _ := ident.LookupRegion("510000")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name                string
		ctx                 context.Context
		region              ident.Region
		people, enterprises int
		want                error
	}{
		{"another region", t.Context(), sichuan, 100, 100, ErrRegion},
		{"no region", t.Context(), ident.Region{}, 100, 100, ErrRegion},
		{"nine people", t.Context(), region, 9, 100, ErrSize},
		{"too many people", t.Context(), region, maxPeople + 1, 100, ErrSize},
		{"nine enterprises", t.Context(), region, 100, 9, ErrSize},
		{"too many enterprises", t.Context(), region, 100, maxEnterprises + 1, ErrSize},
		{"cancelled", cancelled, region, 100, 100, context.Canceled},
	} {
		dir := t.TempDir()
		if _, err := Generate(c.ctx, dir, c.region, c.people, c.enterprises, 1, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: files were left: %v, %v", c.name, left, err)
		}
	}
}

func TestGenerateCancelledHalfway(t *testing.T) {
	dir := t.TempDir()
	region := henan().region
	if _, err := Generate(t.Context(), dir, region, 100, 20, 1, nil); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "civil.db"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Generate(ctx, dir, region, 2000, 20, 2, func(done, total int) {
		if done > total/2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	if partial, err := filepath.Glob(filepath.Join(dir, "*.partial*")); err != nil || len(partial) != 0 {
		t.Errorf("files were left: %v, %v", partial, err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "civil.db")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("an earlier database that was not yet due has changed: %v", err)
	}
}

func TestGenerateReplaces(t *testing.T) {
	// A path with all that an URL would take for something else.
	dir := filepath.Join(t.TempDir(), "跨省 100%? #1&x=y")
	for seed := range uint64(2) {
		m, err := Generate(t.Context(), dir, guangdong().region, 20, 20, seed, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Files {
			if !strings.HasPrefix(f.Path, dir) {
				t.Errorf("%s lies outside", f.Path)
			}
			if _, err := os.Stat(f.Path); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestGenerateReportsProgress(t *testing.T) {
	var last, total int
	calls := 0
	_, err := Generate(t.Context(), t.TempDir(), zhejiang().region, 1000, 50, 3, func(done, of int) {
		if done <= last || total != 0 && of != total {
			t.Errorf("progress goes from %d/%d to %d/%d", last, total, done, of)
		}
		last, total = done, of
		calls++
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != total || total == 0 || calls > 150 {
		t.Errorf("progress ends at %d/%d after %d calls", last, total, calls)
	}
}
