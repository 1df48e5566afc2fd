package exchange_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	grantv1 "github.com/kuasheng/kuasheng/gen/kuasheng/grant/v1"
	"github.com/kuasheng/kuasheng/internal/harness"
)

// TestQueryLife follows one query through real servers: an answer with receipts that the client verifies.
func TestQueryLife(t *testing.T) {
	var logs *os.File
	if testing.Verbose() {
		logs = os.Stderr
	}
	sys := harness.Start(t, logs)
	henan := sys.Province("410000", "henan.example", "one")
	zhejiang := sys.Province("330000", "zhejiang.example", "one")
	henan.Run("one", "")
	sys.Grant(henan, &grantv1.Grant{Resource: henan.ResourceName(harness.Resource), Requester: zhejiang.AppID("portal"), Fields: []string{"account_no", "balance", "since"}})

	app := zhejiang.App("portal")
	got, err := app.Query(t.Context(), harness.Query(henan, harness.PersonA))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"rows":[{"account_no":"A-0001","balance":"12345678901234567890.12"}]}`
	if diff := cmp.Diff(want, string(got.Bytes())); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if got.Evidence == nil || got.Evidence.Access == "" {
		t.Errorf("answer came without evidence")
	}
	if bytes.Contains([]byte(got.Evidence.IntentRecord.String()), []byte(harness.PersonA)) {
		t.Errorf("the record holds the identity number")
	}
}
