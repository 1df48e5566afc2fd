package exchange_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// rawCodec sends bytes as they are: what no honest client would send.
type rawCodec struct{}

func (rawCodec) Name() string                       { return "proto" }
func (rawCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }

// Values that must come back nowhere: not in an error, a log line or a store.
const (
	brokenPerson = "510100188001010011" // check digit wrong
	deadDate     = "410100189002290034" // check digit right, date impossible
	injection    = "x' OR '1'='1'; DROP TABLE deposits;--"
)

// TestBadInput sends what is wrong in every way: each is INVALID_ARGUMENT that names the argument or parameter, on record, nothing reaches
// the source, and no value comes back or is kept.
func TestBadInput(t *testing.T) {
	s := start(t, "one")
	s.run("one", "")
	s.grant(service, nil, "value")
	s.grant(harness.Resource, nil, "account_no", "balance")
	conn := s.Dial(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	long := strings.Repeat("9", 1<<20)
	person := harness.PersonB
	spaced := "５１０１００ 18800101 001X" // full-width digits and gaps

	const invalid, inText = auditv1.Reason_REASON_ARGUMENT_INVALID, auditv1.Reason_REASON_IDENTITY_NUMBER_IN_TEXT
	const parameter, malformed = auditv1.Reason_REASON_PARAMETER_INVALID, auditv1.Reason_REASON_MESSAGE_MALFORMED
	const unknown = auditv1.Reason_REASON_PARAMETER_UNKNOWN
	long64 := strings.Repeat("姓", 64)
	for _, c := range []struct {
		name    string
		change  func(*queryv1.QueryResourceRequest)
		more    []byte // appended to the encoded request
		reason  auditv1.Reason
		subject string
		values  []string // that must come back nowhere
	}{
		{name: "1 MB parameter", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["person"] = long }, reason: invalid, subject: `parameters["person"]`, values: []string{long[:100]}},
		{name: "many parameters", change: func(r *queryv1.QueryResourceRequest) {
			for i := range 33 {
				r.Parameters[fmt.Sprint("p", i)] = "1"
			}
		}, reason: invalid, subject: "parameters"},
		{name: "16 KiB of parameters", change: func(r *queryv1.QueryResourceRequest) {
			for i := range 5 {
				r.Parameters[fmt.Sprint("p", i)] = long[:4096]
			}
		}, reason: invalid, subject: "parameters", values: []string{long[:100]}},
		{name: "empty parameter name", change: func(r *queryv1.QueryResourceRequest) { r.Parameters[""] = "x" }, reason: invalid, subject: `parameters["(withheld)"]`},
		{name: "wrong type, integer", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["size"] = "seventy-seven" }, reason: parameter, subject: "size", values: []string{"seventy-seven"}},
		{name: "integer too large", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["size"] = "92233720368547758089" }, reason: parameter, subject: "size", values: []string{"92233720368547758089"}},
		{name: "wrong type, date", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["day"] = "1890-02-30" }, reason: parameter, subject: "day", values: []string{"1890-02-30"}},
		{name: "injection into an integer", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["size"] = "1; DROP TABLE x" }, reason: parameter, subject: "size", values: []string{"DROP TABLE x"}},
		{name: "broken identity number", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["person"] = brokenPerson }, reason: parameter, subject: "person", values: []string{brokenPerson}},
		{name: "identity number of no date", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["person"] = deadDate }, reason: parameter, subject: "person", values: []string{deadDate}},
		{name: "injection as identity number", change: func(r *queryv1.QueryResourceRequest) { r.Parameters["person"] = injection }, reason: parameter, subject: "person", values: []string{injection}},
		{name: "identity number in the case number", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.CaseNumber = "办件" + person }, reason: inText, subject: "purpose.case_number", values: []string{person}},
		{name: "identity number in the cause", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.Cause = "查询 " + spaced + " 的余额" }, reason: inText, subject: "purpose.cause", values: []string{spaced}},
		{name: "identity number as operator", change: func(r *queryv1.QueryResourceRequest) { r.Operator = "clerk-" + person }, reason: inText, subject: "operator", values: []string{person}},
		{name: "identity number as request id", change: func(r *queryv1.QueryResourceRequest) { r.RequestId = person }, reason: inText, subject: "request_id", values: []string{person}},
		{name: "identity number as purpose", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.Code = "p-" + person }, reason: inText, subject: "purpose.code", values: []string{person}},
		{name: "identity number as field", change: func(r *queryv1.QueryResourceRequest) { r.Fields = append(r.Fields, person) }, reason: inText, subject: "fields", values: []string{person}},
		{name: "identity number as resource", change: func(r *queryv1.QueryResourceRequest) {
			r.Resource = "provinces/410000/resources/307410" + person + "-000001"
		}, reason: inText, subject: "resource", values: []string{person}},
		{name: "identity number in a broken request's resource", change: func(r *queryv1.QueryResourceRequest) {
			r.Resource, r.Fields = "provinces/410000/resources/307410"+person+"-000001", nil
		}, reason: invalid, subject: "fields", values: []string{person}},
		{name: "identity number as parameter name", change: func(r *queryv1.QueryResourceRequest) { r.Parameters[person] = "x" }, reason: unknown, subject: "(withheld)", values: []string{person}},
		{name: "identity number as name of a long parameter", change: func(r *queryv1.QueryResourceRequest) { r.Parameters[person] = long[:5000] }, reason: invalid, subject: `parameters["(withheld)"]`, values: []string{person}},
		{name: "64 Chinese characters as parameter name", change: func(r *queryv1.QueryResourceRequest) { r.Parameters[long64] = "x" }, reason: unknown, subject: "(withheld)"},
		{name: "value as parameter name", change: func(r *queryv1.QueryResourceRequest) { r.Parameters[brokenPerson] = "x" }, reason: unknown, subject: "(withheld)", values: []string{brokenPerson}},
		{name: "value as field name", change: func(r *queryv1.QueryResourceRequest) { r.Fields = []string{"欧阳测试"} }, reason: auditv1.Reason_REASON_FIELD_UNKNOWN, subject: "(withheld)", values: []string{"欧阳测试"}},
		{name: "broken resource name", change: func(r *queryv1.QueryResourceRequest) { r.Resource = "provinces/410000/resources/' OR 1=1" }, reason: invalid, subject: "resource"},
		{name: "resource of no province", change: func(r *queryv1.QueryResourceRequest) { r.Resource = "provinces/990000/resources/307410000001-000001" }, reason: invalid, subject: "resource"},
		{name: "no resource", change: func(r *queryv1.QueryResourceRequest) { r.Resource = "" }, reason: invalid, subject: "resource"},
		{name: "bad service item", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.ServiceItem = "11510000MB0D00512X0001170050011" }, reason: invalid, subject: "purpose.service_item"},
		{name: "no purpose", change: func(r *queryv1.QueryResourceRequest) { r.Purpose = nil }, reason: invalid, subject: "purpose"},
		{name: "no legal basis", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.LegalBasis = 0 }, reason: invalid, subject: "purpose.legal_basis"},
		{name: "no such legal basis", change: func(r *queryv1.QueryResourceRequest) { r.Purpose.LegalBasis = 99 }, reason: invalid, subject: "purpose.legal_basis"},
		{name: "operator with a space", change: func(r *queryv1.QueryResourceRequest) { r.Operator = "two words" }, reason: invalid, subject: "operator"},
		{name: "field twice", change: func(r *queryv1.QueryResourceRequest) { r.Fields = []string{"value", "value"} }, reason: invalid, subject: "fields"},
		{name: "no field", change: func(r *queryv1.QueryResourceRequest) { r.Fields = nil }, reason: invalid, subject: "fields"},
		{name: "invalid UTF-8 in operator", more: text(5, "\xff\xfe"), reason: malformed, subject: "operator"},
		{name: "invalid UTF-8 in a parameter", more: message(3, text(1, "person"), text(2, "\xff\xfe")), reason: malformed, subject: "parameters"},
		{name: "invalid UTF-8 in a parameter's name", more: message(3, text(1, "\xff\xfe"), text(2, "x")), reason: malformed, subject: "parameters"},
		{name: "invalid UTF-8 in the cause", more: message(4, text(5, "\xff\xfe")), reason: malformed, subject: "cause"},
		{name: "not a message", more: []byte{0x0a, 0xff}, reason: malformed},
		{name: "unknown protobuf field", more: text(99, person), reason: malformed, values: []string{person}},
		{name: "unknown protobuf field in the purpose", more: message(4, text(99, person)), reason: malformed, subject: "purpose", values: []string{person}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			request := s.ask(service, map[string]string{"size": "1"}, "value")
			if c.change != nil {
				c.change(request)
			}
			encoded, err := proto.Marshal(request)
			check(t, err)
			encoded = append(encoded, c.more...)
			var answer []byte
			err = conn.Invoke(t.Context(), queryv1.QueryService_QueryResource_FullMethodName, &encoded, &answer, grpc.ForceCodec(rawCodec{}))
			domain := harness.Domain
			if c.reason == parameter {
				domain = s.henan.Domain
			}
			s.wantRecorded(err, codes.InvalidArgument, c.reason, domain, c.subject)
			s.nowhere(err, c.values...)

			// The same as an export, which is a stream and comes in another way.
			stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, queryv1.QueryService_ExportResource_FullMethodName, grpc.ForceCodec(rawCodec{}))
			check(t, err)
			check(t, stream.SendMsg(&encoded))
			check(t, stream.CloseSend())
			err = stream.RecvMsg(&answer)
			s.wantRecorded(err, codes.InvalidArgument, c.reason, domain, c.subject)
			s.nowhere(err, c.values...)
		})
	}
	if n := s.source.asked.Load(); n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
	// The log with all of this in it can still be read, page by page.
	if n := len(s.accesses(s.zhejiang)); n < 80 {
		t.Errorf("the auditor sees %d accesses", n)
	}
}

// TestInjection asks with strings that would be SQL if anybody spliced them: they are names of nobody.
func TestInjection(t *testing.T) {
	s := start(t, "one")
	s.run("one", "")
	s.grant(byName, nil, "account_no")
	app := s.zhejiang.App("portal")
	for _, name := range []string{
		"' OR '1'='1", `" OR ""="`, "'; DROP TABLE deposits; --", "李四' --", "李四\x00", "%", "_四", "1 UNION SELECT id_number FROM deposits", "${jndi:ldap://x}", "{{name}}", ":name", "?1", "\\'; --",
	} {
		got, err := app.Query(t.Context(), s.ask(byName, map[string]string{"name": name}, "account_no"))
		if err != nil {
			wantRefusal(t, err, codes.InvalidArgument, auditv1.Reason_REASON_PARAMETER_INVALID, s.henan.Domain)
			s.nowhere(err, name)
			continue
		}
		if string(got.Bytes()) != `{"rows":[]}` {
			t.Errorf("%q answered %s", name, got.Bytes())
		}
	}
	got, err := app.Query(t.Context(), s.ask(byName, map[string]string{"name": "李四"}, "account_no"))
	check(t, err)
	if want := `{"rows":[{"account_no":"A-0002"}]}`; string(got.Bytes()) != want {
		t.Errorf("afterwards: %s, want %s", got.Bytes(), want)
	}
}

// nowhere checks that values stand neither in an error, nor in a log line, nor in a file of the exchange or of a node's journal.
func (s *system) nowhere(err error, values ...string) {
	s.T.Helper()
	if len(values) == 0 {
		return
	}
	text := fmt.Sprintf("%v %v", err, details(err))
	logged := s.logs.String()
	for _, v := range values {
		if strings.Contains(text, v) {
			s.T.Errorf("a value came back in the error: %s", text)
		}
		if strings.Contains(logged, v) {
			s.T.Errorf("a value was logged")
		}
	}
	s.notStored(values...)
}

// notStored looks for values in everything that the exchange and the nodes keep, apart from the provinces' own data.
func (s *system) notStored(values ...string) {
	s.T.Helper()
	check(s.T, filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "data.db") || d.Name() == "node.yaml" {
			return nil // a file may go while we walk
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, v := range values {
			if bytes.Contains(b, []byte(v)) {
				s.T.Errorf("%s holds a value that must not be kept", path)
			}
		}
		return nil
	}))
}

func text(number protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

func message(number protowire.Number, fields ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(fields, nil))
}
