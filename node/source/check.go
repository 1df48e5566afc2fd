package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kuasheng/kuasheng/node/config"
)

// Finding is something that `node check` found wrong between the node's file and a source.
type Finding struct {
	Resource  string // its code
	Field     string // empty when it is about no single field
	Parameter string // empty when it is about no single parameter
	Line      int    // of the node's file
	Warning   bool   // the resource works all the same
	Problem   string
	Cure      string
}

// String is the finding as one line.
func (f Finding) String() string {
	what := "resource " + f.Resource
	if f.Field != "" {
		what += ", field " + f.Field
	}
	if f.Parameter != "" {
		what += ", parameter " + f.Parameter
	}
	return fmt.Sprintf("line %d: %s: %s; %s", f.Line, what, f.Problem, f.Cure)
}

// serviceTimeFloor gives a service that has to wake up first more time in a check than in a query.
const serviceTimeFloor = 2 * time.Second

// maxSample is how many rows a check converts: enough to meet the usual exceptions, few enough for a bulk resource.
const maxSample = 100

// Check runs every mapping against its real source, with sample parameters that belong to nobody, and converts the rows
// that come. Findings come in the order of the file. A source that cannot be reached is tried once, not once for each
// of its resources.
func (s *Set) Check(ctx context.Context) []Finding {
	if err := s.enter(); err != nil {
		return []Finding{{Problem: err.Error(), Cure: "open the sources again"}}
	}
	defer s.running.Done()
	down := map[*health]error{}
	var findings []Finding
	for _, r := range s.order {
		if ctx.Err() != nil {
			break
		}
		err, seen := down[r.health]
		if !seen {
			var found []Finding
			found, err = r.check(ctx)
			findings = append(findings, found...)
		}
		if err != nil {
			down[r.health] = err
			findings = append(findings, r.finding(err))
		}
		if r.Limits.ExportRows > 0 && !r.ordered {
			findings = append(findings, Finding{Resource: r.Code, Line: r.At.Line, Warning: true,
				Problem: "exports cannot be resumed, since the query has no ORDER BY",
				Cure:    "order by something unique, such as the primary key"})
		}
	}
	return findings
}

// check checks one resource. The error is one that all resources of the source share.
func (r *resource) check(ctx context.Context) ([]Finding, error) {
	limit := r.Limits.Timeout
	if r.kind == config.HTTP {
		limit = max(limit, serviceTimeFloor)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	columns := make([]*column, 0, len(r.fields))
	for _, f := range r.Fields {
		columns = append(columns, r.fields[f.Name])
	}
	args, err := arguments(r.Parameters, samples(r.Parameters))
	if err != nil {
		return []Finding{r.finding(err)}, nil
	}
	found := r.backend.check(ctx, columns, args)
	for i := range found {
		found[i].Resource = r.Code
		if found[i].Line == 0 {
			found[i].Line = r.At.Line
		}
	}
	if len(found) > 0 {
		return found, nil // the rows would only say it again
	}
	return r.sample(ctx, cancel, columns, args)
}

// sample reads some rows, column by column, so that one bad column hides no other.
func (r *resource) sample(ctx context.Context, cancel context.CancelFunc, columns []*column, args map[string]argument) ([]Finding, error) {
	rows, err := r.backend.query(ctx, columns, args, false)
	if err != nil {
		if errors.Is(err, ErrUnavailable) {
			return nil, err
		}
		return []Finding{r.finding(err)}, nil
	}
	defer rows.close()
	defer cancel()
	var findings []Finding
	bad := map[*column]bool{}
	for n := 0; n < maxSample; n++ {
		values, err := rows.next(ctx)
		if errors.Is(err, io.EOF) {
			if n == 0 && r.kind == config.HTTP {
				findings = append(findings, Finding{Resource: r.Code, Line: r.At.Line, Warning: true,
					Problem: "the service answered a sample request without rows, so its members were not compared",
					Cure:    "query it once with a case of your own"})
			}
			break
		}
		if err != nil {
			findings = append(findings, r.finding(err))
			break
		}
		for i, c := range columns {
			if _, err := c.write(nil, values[i]); err != nil && !bad[c] {
				bad[c] = true
				_, reason := c.text(values[i])
				findings = append(findings, Finding{Resource: r.Code, Field: c.Name, Line: c.At.Line,
					Problem: "a value does not fit type " + string(c.Type) + ": " + reason, Cure: "correct the field's type, length or scale, or convert the column in the query"})
			}
		}
	}
	return findings, nil
}

// finding turns an error of a query into a finding.
func (r *resource) finding(err error) Finding {
	f := Finding{Resource: r.Code, Line: r.At.Line, Problem: err.Error(), Cure: "correct the mapping"}
	switch {
	case errors.Is(err, ErrUnavailable):
		f.Cure = "start the source, or correct its address, credentials or authority; nothing else of this resource was checked"
	case errors.Is(err, ErrTimeout):
		f.Cure = "add an index for the query's conditions, or raise limits.timeout"
	}
	var known *causeError
	if errors.As(err, &known) {
		_, f.Cure = known.cause.words()
		if errors.Is(err, ErrUnavailable) {
			f.Cure += "; nothing else of this resource was checked"
		}
	}
	return f
}

// samples are values for every parameter that no one has: numbers of the nineteenth century, the code of the exchange's
// operator. Nobody's data is looked up by a check.
func samples(declared []config.Parameter) map[string]string {
	values := make(map[string]string, len(declared))
	for _, p := range declared {
		values[p.Name] = sampleValue(p)
	}
	return values
}

func sampleValue(p config.Parameter) string {
	switch p.Format {
	case config.FormatCitizenID:
		return "440100188506150028"
	case config.FormatUSCC:
		return "12100000MB0D00002C"
	case config.FormatRegion:
		return "410000"
	}
	switch p.Type {
	case config.TypeDate:
		return "1885-06-15"
	case config.TypeTime:
		return "1885-06-15T00:00:00+08:00"
	case config.TypeLogical:
		return "false"
	}
	return "0"
}
