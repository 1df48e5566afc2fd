package accesslog

import (
	"errors"
	"fmt"
	"strings"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"github.com/kuasheng/kuasheng/internal/ident"
	"google.golang.org/protobuf/encoding/protowire"
)

// errRecord means that the log holds a record that does not belong in it or that a newer version wrote. Nothing is decided without it.
var errRecord = errors.New("record is not understood by this version")

// gist is what the index and the filters look at in a record. Every record that is committed passes here, so it is read straight off the
// wire, in a tenth of the time that decoding the whole takes. Its slices point into the record. A test holds it against the decoder.
type gist struct {
	kind      protowire.Number // field of Record: kindIntent, kindOutcome or kindRead
	seconds   int64            // of the record's time
	nanos     int64
	requester []byte
	region    []byte
	resource  []byte
	grant     []byte
	origin    []byte
	verdict   auditv1.Verdict
	replaces  bool
	intent    int64 // of an outcome
	result    auditv1.Result
}

// Fields of kuasheng.audit.v1.Record.
const (
	fieldTime   protowire.Number = 2
	kindIntent  protowire.Number = 3
	kindOutcome protowire.Number = 4
	kindAnswer  protowire.Number = 5
	kindRead    protowire.Number = 6
)

// access reports whether the record is one that List shows.
func (g *gist) access() bool { return g.kind != kindOutcome }

// time is when the record was made.
func (g *gist) time() time.Time { return time.Unix(g.seconds, g.nanos) }

// counts reports whether the record uses up quota. An intent that replaces another one is the same request once more.
func (g *gist) counts() bool { return g.waits() && !g.replaces && len(g.grant) > 0 }

// waits reports whether an outcome must follow.
func (g *gist) waits() bool {
	return g.kind == kindIntent && g.verdict == auditv1.Verdict_VERDICT_PERMITTED
}

// final reports whether an outcome is the end of its access. An interrupted one waits for the node's journal.
func (g *gist) final() bool { return g.result != auditv1.Result_RESULT_INTERRUPTED }

// provider is the region code of the province that the resource belongs to, or "".
func (g *gist) provider() string {
	rest, ok := strings.CutPrefix(string(g.resource), "provinces/")
	if !ok {
		return ""
	}
	code, _, _ := strings.Cut(rest, "/")
	if _, ok := ident.LookupRegion(code); !ok {
		return "" // a refused request may name anything
	}
	return code
}

// touches reports whether a province has to do with the access.
func (g *gist) touches(region string) bool {
	return string(g.region) == region || g.provider() == region
}

// read takes the gist of a record of the access log.
func (g *gist) read(record []byte) error {
	*g = gist{}
	timed := false
	err := fields(record, func(number protowire.Number, v uint64, b []byte) error {
		switch number {
		case fieldTime:
			timed = true
			return g.readTime(b)
		case kindIntent, kindOutcome, kindAnswer, kindRead:
			if g.kind != number { // of a oneof the last one counts
				*g = gist{kind: number, seconds: g.seconds, nanos: g.nanos}
			}
			return g.readKind(b)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !timed || g.kind == 0 || g.kind == kindAnswer:
		return fmt.Errorf("%w: it is no intent, outcome or read", errRecord)
	case g.kind == kindOutcome && g.intent < 0:
		return fmt.Errorf("%w: outcome of no intent", errRecord)
	}
	return nil
}

func (g *gist) readTime(b []byte) error {
	return fields(b, func(number protowire.Number, v uint64, _ []byte) error {
		switch number {
		case 1:
			g.seconds = int64(v)
		case 2:
			g.nanos = int64(int32(v))
		}
		return nil
	})
}

// readKind reads an Intent, an Outcome or an AuditRead.
func (g *gist) readKind(b []byte) error {
	return fields(b, func(number protowire.Number, v uint64, b []byte) error {
		if g.kind == kindOutcome {
			switch number {
			case 1:
				g.intent = int64(v)
			case 2:
				g.result = auditv1.Result(v)
			}
			return nil
		}
		switch {
		case number == 1:
			return g.readCaller(b)
		case number == 3:
			g.verdict = auditv1.Verdict(v)
		case g.kind != kindIntent: // a read has no more that matters here
		case number == 6:
			g.resource = b
		case number == 7:
			g.grant = b
		case number == 13:
			g.origin = b
		case number == 14:
			g.replaces = int64(v) > 0
		}
		return nil
	})
}

func (g *gist) readCaller(b []byte) error {
	return fields(b, func(number protowire.Number, _ uint64, b []byte) error {
		switch number {
		case 1:
			g.requester = b
		case 3:
			g.region = b
		}
		return nil
	})
}

// fields calls fn for each field of a message: with the number of a varint field, or the bytes of a length-delimited one.
func fields(b []byte, fn func(number protowire.Number, v uint64, b []byte) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: broken tag", errRecord)
		}
		b = b[n:]
		var v uint64
		var content []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			content, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("%w: broken field", errRecord)
		}
		b = b[n:]
		if err := fn(number, v, content); err != nil {
			return err
		}
	}
	return nil
}
