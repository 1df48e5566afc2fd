package exchange_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/kuasheng/kuasheng/exchange/client"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"google.golang.org/grpc/codes"
)

// ledger is an export of Henan's ledger from one row on.
func (s *system) ledger(from int) *queryv1.ExportResourceRequest {
	return &queryv1.ExportResourceRequest{
		Resource: s.henan.ResourceName(harness.Bulk), Fields: []string{"seq", "note"}, Purpose: harness.Purpose(),
		Parameters: map[string]string{"from_seq": fmt.Sprint(from)}, Operator: "batch", RequestId: "export-1",
	}
}

// ledgerRows is how many rows the ledger has; enlarged to some megabytes, so that an export is still going on when it is cut.
const ledgerRows = 60_000

func (s *system) enlarge() {
	s.T.Helper()
	s.change(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 5001 UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO ledger SELECT i, 'entry number ' || i || ' of the ledger, with some words to fill the row' FROM n`, ledgerRows))
}

// change changes the province's data.
func (s *system) change(statement string) {
	s.T.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.henan.Dir, "data.db"))
	check(s.T, err)
	defer db.Close()
	_, err = db.Exec(statement)
	check(s.T, err)
}

// TestExport exports the whole, with the digest over it.
func TestExport(t *testing.T) {
	s := start(t, "one")
	s.run("one", "")
	s.grant(harness.Bulk, nil, "seq", "note")
	var rows bytes.Buffer
	got, err := s.zhejiang.App("portal").Export(t.Context(), s.ledger(0), func(b []byte, _ int64) error {
		rows.Write(b)
		return nil
	})
	check(t, err)
	if got.Rows != 5000 || bytes.Count(rows.Bytes(), []byte("\n")) != 5000 || got.Evidence == nil {
		t.Errorf("%d rows, %d lines", got.Rows, bytes.Count(rows.Bytes(), []byte("\n")))
	}
	if first, _, _ := bytes.Cut(rows.Bytes(), []byte("\n")); string(first) != `{"seq":"1","note":"entry number 1 of the ledger, with some words to fill the row"}` {
		t.Errorf("first row is %s", first)
	}
	a := s.waitResult(got.Evidence.Access, auditv1.Result_RESULT_ANSWERED)
	if o := a.GetOutcome(); o.GetRowCount() != 5000 || o.GetAnswerBytes() != int64(rows.Len()) {
		t.Errorf("outcome on record: %v, %d bytes came", o, rows.Len())
	}
	if m := a.GetRecord().GetIntent().GetMode(); m != auditv1.Mode_MODE_EXPORT {
		t.Errorf("mode on record: %v", m)
	}

	// No rows are an export too.
	got, err = s.zhejiang.App("portal").Export(t.Context(), s.ledger(1_000_000), func([]byte, int64) error { return errors.New("rows from nowhere") })
	check(t, err)
	if got.Rows != 0 {
		t.Errorf("%d rows", got.Rows)
	}
	// And a resource that offers none is none.
	s.grant(harness.Resource, nil, "balance")
	req := s.ledger(0)
	req.Resource, req.Fields, req.Parameters = s.henan.ResourceName(harness.Resource), []string{"balance"}, map[string]string{"id_number": harness.PersonA}
	_, err = s.zhejiang.App("portal").Export(t.Context(), req, func([]byte, int64) error { return nil })
	s.wantRecorded(err, codes.FailedPrecondition, auditv1.Reason_REASON_MODE_NOT_OFFERED, s.henan.Domain, "")
}

// TestExportCut cuts an export from the caller's side and resumes it: together it is the whole. Where the data has changed meanwhile it shows.
func TestExportCut(t *testing.T) {
	s := start(t, "one")
	s.enlarge()
	s.run("one", "")
	s.grant(harness.Bulk, nil, "seq", "note")
	app := s.zhejiang.App("portal")

	cut := func() (rows *bytes.Buffer, part client.Part, access string) {
		t.Helper()
		rows = &bytes.Buffer{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		_, err := app.Export(ctx, s.ledger(0), func(b []byte, _ int64) error {
			if n++; n == 3 {
				return errors.New("the disk is full")
			}
			rows.Write(b)
			return nil
		})
		var early *client.CutError
		if !errors.As(err, &early) || early.Part.Rows == 0 || early.Part.Bytes != int64(rows.Len()) {
			t.Fatalf("cut: %v, after %d bytes", err, rows.Len())
		}
		for _, a := range s.accesses(s.zhejiang) {
			if a.GetRecord().GetIntent().GetMode() == auditv1.Mode_MODE_EXPORT {
				return rows, early.Part, a.GetName()
			}
		}
		t.Fatal("the export is not on record")
		return nil, client.Part{}, ""
	}
	rows, part, access := cut()
	a := s.waitResult(access, auditv1.Result_RESULT_CUT)
	if o := a.GetOutcome(); o.GetReason() != auditv1.Reason_REASON_CALLER_GONE || o.GetRowCount() < part.Rows || o.GetRowCount() >= ledgerRows {
		t.Errorf("outcome on record: %v, %d rows came", o, part.Rows)
	}
	received := bytes.NewReader(bytes.Clone(rows.Bytes()))
	whole, err := app.Resume(t.Context(), s.ledger(0), part, received, func(b []byte, _ int64) error {
		rows.Write(b)
		return nil
	})
	check(t, err)
	if whole.Rows != ledgerRows || bytes.Count(rows.Bytes(), []byte("\n")) != ledgerRows {
		t.Errorf("resumed: %d rows, %d lines", whole.Rows, bytes.Count(rows.Bytes(), []byte("\n")))
	}
	resumed := s.waitResult(whole.Evidence.Access, auditv1.Result_RESULT_ANSWERED)
	if i := resumed.GetRecord().GetIntent(); i.GetFromRow() != part.Rows {
		t.Errorf("first row on record: %d, want %d", i.GetFromRow(), part.Rows)
	}
	// On record is what left in this access; the trailer counts the whole.
	end := whole.Evidence.AnswerRecord.GetAnswer()
	if end.GetFromRow() != part.Rows || end.GetRowCount() != ledgerRows-part.Rows || end.GetAnswerBytes() != whole.Bytes-part.Bytes {
		t.Errorf("the journal holds %v, want %d rows in %d bytes", end, ledgerRows-part.Rows, whole.Bytes-part.Bytes)
	}
	if o := resumed.GetOutcome(); o.GetRowCount() != end.GetRowCount() || o.GetAnswerBytes() != end.GetAnswerBytes() {
		t.Errorf("outcome on record: %v, the journal holds %v", o, end)
	}
	if n := whole.Trailer.GetRowCount(); n != ledgerRows {
		t.Errorf("the trailer counts %d rows, want %d", n, ledgerRows)
	}

	// A row that the caller has already is another one now: the digest over the whole tells.
	rows, part, _ = cut()
	s.change(`UPDATE ledger SET note = 'another' WHERE seq = 1`)
	_, err = app.Resume(t.Context(), s.ledger(0), part, bytes.NewReader(rows.Bytes()), func([]byte, int64) error { return nil })
	if !errors.Is(err, client.ErrEvidence) || !errors.Is(err, client.ErrChanged) {
		t.Errorf("resumed over changed data: %v", err)
	}
	// Fewer rows than the caller has.
	s.change(`DELETE FROM ledger`)
	_, err = app.Resume(t.Context(), s.ledger(0), part, bytes.NewReader(rows.Bytes()), func([]byte, int64) error { return nil })
	if !errors.Is(err, client.ErrChanged) || errors.Is(err, client.ErrCut) || errors.Is(err, client.ErrEvidence) {
		t.Errorf("resumed over data that has gone: %v", err)
	}
}
