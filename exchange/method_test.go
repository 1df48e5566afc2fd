package exchange_test

import (
	"strings"
	"testing"

	"github.com/kuasheng/kuasheng/exchange"
	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestMethodTable holds the table of methods to what a server offers, both ways: a method that nobody thought about is offered to nobody.
func TestMethodTable(t *testing.T) {
	s := harness.Start(t, nil)
	table := exchange.MethodRoles()
	for _, method := range exchange.Registered(s.Server) {
		entry, ok := table[method]
		delete(table, method)
		if !ok {
			t.Errorf("%s is not in the table", method)
		}
		if entry.Anybody != strings.HasPrefix(method, "/grpc.health.v1.Health/") {
			t.Errorf("%s: anybody may call: %v", method, entry.Anybody)
		}
		if data := strings.HasPrefix(method, "/kuasheng.query.v1.QueryService/") || strings.HasPrefix(method, "/kuasheng.audit.v1.AuditService/"); entry.Records != data {
			t.Errorf("%s: refusals are recorded: %v", method, entry.Records)
		}
	}
	for method := range table {
		t.Errorf("%s is in the table and not offered", method)
	}
}

// TestRequestShape fails when somebody adds a list or a map of messages to a request about data: the search for fields that this version
// does not know must learn to look into it first.
func TestRequestShape(t *testing.T) {
	var walk func(protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			switch {
			case f.IsMap() && f.MapValue().Kind() == protoreflect.MessageKind, f.IsList() && f.Kind() == protoreflect.MessageKind:
				t.Errorf("%s is a list or a map of messages", f.FullName())
			case f.Kind() == protoreflect.MessageKind && !f.IsMap():
				walk(f.Message())
			}
		}
	}
	for _, file := range []protoreflect.FileDescriptor{queryv1.File_kuasheng_query_v1_query_service_proto, auditv1.File_kuasheng_audit_v1_audit_service_proto} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				walk(methods.Get(j).Input())
			}
		}
	}
}
