package exchange_test

import (
	"testing"
	"time"

	auditv1 "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
	"google.golang.org/grpc/codes"
)

// TestRevokedWhileAwaited revokes a grant while a permitted call waits for a node that has just gone: what counts is what is granted when the
// call goes on, not when it came.
func TestRevokedWhileAwaited(t *testing.T) {
	s := start(t, "one")
	replica := s.run("one", "")
	name := s.grant(service, nil, "value")
	app := s.queries(s.zhejiang.CA, s.zhejiang.AppID("portal"))
	replica.Stop()

	asked := make(chan error, 1)
	before := s.records()
	go func() {
		_, err := app.QueryResource(t.Context(), s.ask(service, map[string]string{"size": "1"}, "value"))
		asked <- err
	}()
	operator := grantv1.NewGrantServiceClient(s.Dial(s.henan.CA, "spiffe://"+s.henan.Domain+"/operator/wang"))
	_, err := operator.RevokeGrant(t.Context(), &grantv1.RevokeGrantRequest{Name: name, Reason: "test"})
	check(t, err)
	select {
	case err := <-asked:
		t.Fatalf("the call did not wait: %v", err)
	case <-time.After(50 * time.Millisecond): // it waits: nothing tells so but its silence
	}
	if s.records() != before {
		t.Fatal("something went on record before the node was back")
	}
	replica.Start()
	wantRefusal(t, <-asked, codes.PermissionDenied, auditv1.Reason_REASON_GRANT_REVOKED, harness.Domain)
	if n := s.source.asked.Load(); n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
}
