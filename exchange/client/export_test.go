package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kuasheng/kuasheng/exchange/client"
	"github.com/kuasheng/kuasheng/exchange/client/clienttest"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

const exportRows = 10

func exporting(t *testing.T) *clienttest.Exchange {
	e := clienttest.New(t)
	e.Rows = nil
	for i := range exportRows {
		e.Rows = append(e.Rows, map[string]string{"name": fmt.Sprintf("n%d\n", i), "deposit": fmt.Sprint(i)})
	}
	return e
}

func exportRequest() *queryv1.ExportResourceRequest {
	q := request()
	return &queryv1.ExportResourceRequest{
		Resource: q.GetResource(), Fields: q.GetFields(), Parameters: q.GetParameters(), Purpose: q.GetPurpose(), Operator: q.GetOperator(),
	}
}

// collect takes rows into a buffer.
func collect(b *bytes.Buffer) func([]byte, int64) error {
	return func(rows []byte, _ int64) error { b.Write(rows); return nil }
}

func TestExport(t *testing.T) {
	e := exporting(t)
	var got bytes.Buffer
	var begun client.Part
	r, err := dial(t, config(t, e)).Export(t.Context(), exportRequest(), collect(&got), client.OnBegin(func(p client.Part) error { begun = p; return nil }))
	if err != nil {
		t.Fatal(err)
	}
	if r.Rows != exportRows || r.Bytes != int64(got.Len()) || strings.Count(got.String(), "\n") != exportRows {
		t.Errorf("result = %+v of %d bytes", r.Part, got.Len())
	}
	if r.Evidence.Answer.Index != 1 || r.Evidence.AnswerRecord.GetAnswer().GetState() != auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED {
		t.Errorf("evidence = %+v", r.Evidence)
	}
	if begun.Rows != 0 || !bytes.Equal(begun.AnswerSalt, r.AnswerSalt) {
		t.Errorf("begun = %+v", begun)
	}
}

func TestResume(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alter func(e *clienttest.Exchange, part *client.Part, received *[]byte)
		want  error
	}{
		{"honest", func(*clienttest.Exchange, *client.Part, *[]byte) {}, nil},
		{"row altered here", func(_ *clienttest.Exchange, _ *client.Part, b *[]byte) { (*b)[3] ^= 1 }, client.ErrEvidence},
		{"row changed there", func(e *clienttest.Exchange, _ *client.Part, _ *[]byte) { e.Rows[0]["name"] = "new" }, client.ErrEvidence},
		{"change said to be one", func(e *clienttest.Exchange, _ *client.Part, _ *[]byte) { e.Rows[0]["name"] = "new" }, client.ErrChanged},
		{"fewer rows there", func(e *clienttest.Exchange, _ *client.Part, _ *[]byte) { e.Rows = e.Rows[:3] }, client.ErrChanged},
		{"rows of the whole on record", func(e *clienttest.Exchange, _ *client.Part, _ *[]byte) {
			e.OnAnswer = ended(func(a *auditv1.Answer) { a.RowCount += 4 })
		}, client.ErrEvidence},
		{"bytes of the whole on record", func(e *clienttest.Exchange, p *client.Part, _ *[]byte) {
			e.OnAnswer = ended(func(a *auditv1.Answer) { a.AnswerBytes += p.Bytes })
		}, client.ErrEvidence},
		{"end from another row", func(e *clienttest.Exchange, _ *client.Part, _ *[]byte) {
			e.OnAnswer = ended(func(a *auditv1.Answer) { a.FromRow = 0 })
		}, client.ErrEvidence},
		{"rows lost here", func(_ *clienttest.Exchange, _ *client.Part, b *[]byte) { *b = (*b)[:20] }, client.ErrPart},
		{"rows miscounted", func(_ *clienttest.Exchange, p *client.Part, _ *[]byte) { p.Rows-- }, client.ErrPart},
		{"no salt", func(_ *clienttest.Exchange, p *client.Part, _ *[]byte) { p.AnswerSalt = nil }, client.ErrPart},
		{"negative", func(_ *clienttest.Exchange, p *client.Part, _ *[]byte) { p.Rows = -1 }, client.ErrPart},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := exporting(t)
			e.CutAfter = 4
			c := dial(t, config(t, e))
			var got bytes.Buffer
			_, err := c.Export(t.Context(), exportRequest(), collect(&got))
			var cut *client.CutError
			if !errors.As(err, &cut) || cut.Part.Rows != 4 || cut.Part.Bytes != int64(got.Len()) || status.Code(err) != codes.Unavailable {
				t.Fatalf("error = %v", err)
			}
			part, received := cut.Part, bytes.Clone(got.Bytes())
			tt.alter(e, &part, &received)
			r, err := c.Resume(t.Context(), exportRequest(), part, bytes.NewReader(received), collect(&got))
			if !errors.Is(err, tt.want) {
				t.Fatalf("error = %v, want %v", err, tt.want)
			}
			if errors.Is(err, client.ErrCut) {
				t.Errorf("error = %v, which no further resumption mends", err)
			}
			if err != nil {
				return
			}
			if r.Rows != exportRows || r.Bytes != int64(got.Len()) {
				t.Errorf("result = %+v of %d bytes", r.Part, got.Len())
			}
			// On record is what left in this access; the trailer counts the whole.
			if a := r.Evidence.AnswerRecord.GetAnswer(); a.GetFromRow() != 4 || a.GetRowCount() != exportRows-4 ||
				a.GetAnswerBytes() != r.Bytes-part.Bytes || r.Trailer.GetRowCount() != exportRows {
				t.Errorf("on record %v, in the trailer %d rows", a, r.Trailer.GetRowCount())
			}
		})
	}
}

// ended lies in the record of an export's end only.
func ended(lie func(*auditv1.Answer)) func(*auditv1.Answer) {
	return func(a *auditv1.Answer) {
		if a.GetState() == auditv1.AnswerState_ANSWER_STATE_STREAM_ENDED {
			lie(a)
		}
	}
}

// TestArguments: what cannot be asked is found before anything is on record, and says where without quoting it.
func TestArguments(t *testing.T) {
	e := exporting(t)
	c := dial(t, config(t, e))
	const bad = "51010018800101001X\xff"
	take := func([]byte, int64) error { return nil }
	queries := func(change func(*queryv1.ExportResourceRequest)) error {
		x := exportRequest()
		change(x)
		_, err := c.Query(t.Context(), &queryv1.QueryResourceRequest{
			Resource: x.GetResource(), Fields: x.GetFields(), Parameters: x.GetParameters(), Purpose: x.GetPurpose(), Operator: x.GetOperator(),
		})
		if _, other := c.Export(t.Context(), x, take); !errors.Is(other, client.ErrArgument) {
			t.Errorf("export: error = %v, want ErrArgument", other)
		}
		return err
	}
	for _, tt := range []struct {
		name, where string
		change      func(*queryv1.ExportResourceRequest)
	}{
		{"value", `parameters["since"]`, func(r *queryv1.ExportResourceRequest) { r.Parameters["since"] = bad }},
		{"name", "a name in parameters", func(r *queryv1.ExportResourceRequest) { r.Parameters[bad] = "" }},
		{"number as a name", "parameters[(withheld)]", func(r *queryv1.ExportResourceRequest) { r.Parameters["51010018800101001X"] = bad }},
		{"field", "fields[0]", func(r *queryv1.ExportResourceRequest) { r.Fields[0] = bad }},
		{"operator", "operator", func(r *queryv1.ExportResourceRequest) { r.Operator = bad }},
		{"purpose", "cause", func(r *queryv1.ExportResourceRequest) { r.Purpose.Cause = bad }},
	} {
		err := queries(tt.change)
		if !errors.Is(err, client.ErrArgument) || !strings.Contains(err.Error(), tt.where+":") || strings.Contains(err.Error(), bad[:18]) {
			t.Errorf("%s: error = %v", tt.name, err)
		}
	}
	part := client.Part{Rows: 1, Bytes: 2, AnswerSalt: make([]byte, 16)}
	_, noTaker := c.Export(t.Context(), exportRequest(), nil)
	_, noRequest := c.Export(t.Context(), nil, take)
	_, resumed := c.Resume(t.Context(), exportRequest(), part, strings.NewReader("x\n"), nil)
	for _, err := range []error{noTaker, noRequest, resumed} {
		if !errors.Is(err, client.ErrArgument) {
			t.Errorf("error = %v, want ErrArgument", err)
		}
	}
	if _, err := c.Resume(t.Context(), exportRequest(), part, nil, take); !errors.Is(err, client.ErrPart) {
		t.Errorf("error = %v, want ErrPart", err)
	}
	if n := e.Log.Size(); n != 0 {
		t.Errorf("%d records in the log", n)
	}
}

func TestExportTakeFails(t *testing.T) {
	e := exporting(t)
	full := errors.New("disk full")
	var n int
	_, err := dial(t, config(t, e)).Export(t.Context(), exportRequest(), func([]byte, int64) error {
		if n++; n == 3 {
			return full
		}
		return nil
	})
	var cut *client.CutError
	if !errors.As(err, &cut) || !errors.Is(err, full) || !errors.Is(err, client.ErrCut) || cut.Part.Rows != 2 {
		t.Errorf("error = %v", err)
	}
}

func TestExportLies(t *testing.T) {
	header := func(lie func(*queryv1.ExportHeader)) func(*clienttest.Exchange) {
		return func(e *clienttest.Exchange) {
			e.OnExport = func(m *queryv1.ExportResourceResponse) {
				if m.GetHeader() != nil {
					lie(m.GetHeader())
				}
			}
		}
	}
	chunk := func(lie func(*queryv1.ExportChunk)) func(*clienttest.Exchange) {
		return func(e *clienttest.Exchange) {
			e.OnExport = func(m *queryv1.ExportResourceResponse) {
				if m.GetChunk() != nil {
					lie(m.GetChunk())
				}
			}
		}
	}
	trailer := func(lie func(*queryv1.ExportTrailer)) func(*clienttest.Exchange) {
		return func(e *clienttest.Exchange) {
			e.OnExport = func(m *queryv1.ExportResourceResponse) {
				if m.GetTrailer() != nil {
					lie(m.GetTrailer())
				}
			}
		}
	}
	for _, tt := range []struct {
		name  string
		lie   func(*clienttest.Exchange)
		want  error
		rows  bool // whether any row may be handed over
		early bool
	}{
		{"no intent", header(func(h *queryv1.ExportHeader) { h.IntentReceipt = nil }), client.ErrEvidence, false, true},
		{"no beginning", header(func(h *queryv1.ExportHeader) { h.BeginReceipt = nil }), client.ErrEvidence, false, true},
		{"intent as beginning", header(func(h *queryv1.ExportHeader) { h.BeginReceipt = h.IntentReceipt }), client.ErrEvidence, false, true},
		{"masked fields", header(func(h *queryv1.ExportHeader) { h.MaskedFields = []string{"name"} }), client.ErrEvidence, false, true},
		{"no salt", header(func(h *queryv1.ExportHeader) { h.AnswerSalt = nil }), client.ErrProtocol, false, true},
		{"another salt", header(func(h *queryv1.ExportHeader) { h.AnswerSalt = bytes.Repeat([]byte{1}, 16) }), client.ErrEvidence, true, false},
		{"half a row", chunk(func(c *queryv1.ExportChunk) { c.Data = c.Data[:5] }), client.ErrProtocol, false, false},
		{"more rows than counted", chunk(func(c *queryv1.ExportChunk) { c.Data = append(c.Data, c.Data...) }), client.ErrProtocol, false, false},
		{"row altered", chunk(func(c *queryv1.ExportChunk) { c.Data[3] ^= 1 }), client.ErrEvidence, true, false},
		{"rows dropped", chunk(func(c *queryv1.ExportChunk) { c.Data, c.RowCount = nil, 0 }), client.ErrProtocol, false, false},
		{"no end", trailer(func(x *queryv1.ExportTrailer) { x.EndReceipt = nil }), client.ErrEvidence, true, false},
		{"count", trailer(func(x *queryv1.ExportTrailer) { x.RowCount++ }), client.ErrProtocol, true, false},
		{"count on record", func(e *clienttest.Exchange) {
			e.OnAnswer = func(a *auditv1.Answer) { a.RowCount++ }
		}, client.ErrEvidence, true, false},
		{"from another row", func(e *clienttest.Exchange) {
			e.OnAnswer = func(a *auditv1.Answer) { a.FromRow++ }
		}, client.ErrEvidence, false, true},
		{"unknown message", func(e *clienttest.Exchange) {
			e.OnExport = func(m *queryv1.ExportResourceResponse) { m.Part = nil }
		}, client.ErrProtocol, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := exporting(t)
			tt.lie(e)
			var got bytes.Buffer
			r, err := dial(t, config(t, e)).Export(t.Context(), exportRequest(), collect(&got))
			if r != nil || !errors.Is(err, tt.want) {
				t.Errorf("result %v, error %v, want %v", r, err, tt.want)
			}
			if !tt.rows && got.Len() > 0 {
				t.Errorf("%d bytes were handed over", got.Len())
			}
			if tt.early && errors.Is(err, client.ErrCut) {
				t.Errorf("error = %v, which nobody can resume", err)
			}
		})
	}
}

func TestExportRefused(t *testing.T) {
	e := exporting(t)
	req := exportRequest()
	req.Fields = []string{"phone"}
	c := dial(t, config(t, e))
	_, err := c.Export(t.Context(), req, func([]byte, int64) error { return nil })
	if r, ok := client.RefusalOf(err); !ok || r.Reason != auditv1.Reason_REASON_FIELD_NOT_GRANTED || errors.Is(err, client.ErrCut) {
		t.Errorf("error = %v", err)
	}
	req.Resume = &queryv1.ExportResume{Rows: 1}
	if _, err := c.Export(t.Context(), req, nil); !errors.Is(err, client.ErrProtocol) {
		t.Errorf("error = %v, want ErrProtocol", err)
	}
}

// TestExportStalls has the exchange fall silent after the first row.
func TestExportStalls(t *testing.T) {
	e := exporting(t)
	silence := make(chan struct{})
	defer close(silence)
	chunks := 0
	e.OnExport = func(m *queryv1.ExportResourceResponse) {
		if m.GetChunk() == nil {
			return
		}
		if chunks++; chunks == 2 {
			<-silence
		}
	}
	cfg := config(t, e)
	cfg.StallTimeout = 200 * time.Millisecond
	_, err := dial(t, cfg).Export(t.Context(), exportRequest(), func([]byte, int64) error { return nil })
	var cut *client.CutError
	if !errors.As(err, &cut) || cut.Part.Rows != 1 || !errors.Is(err, client.ErrStalled) {
		t.Errorf("error = %v", err)
	}
}
