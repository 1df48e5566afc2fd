package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/kuasheng/kuasheng/certs"
)

const (
	// identityTime bounds the wait for a Workload API in a check: somebody is watching.
	identityTime = 5 * time.Second
	// soon is from where on the end of an SVID is worth a warning in a check of a server that is to run.
	soon = 10 * time.Minute
)

// CheckIdentity opens a server's identity as serving would, and finds what its callers would object to. A server that is called by host
// name needs names in its certificate.
func CheckIdentity(ctx context.Context, file string, open func(context.Context) (*certs.Source, error), named bool, now time.Time) []Finding {
	ctx, cancel := context.WithTimeout(ctx, identityTime)
	defer cancel()
	source, err := open(ctx)
	if err != nil {
		return []Finding{{File: file, Problem: "identity: " + err.Error()}}
	}
	defer source.Close()
	svid, err := source.GetX509SVID()
	if err != nil {
		return []Finding{{File: file, Problem: "identity: " + err.Error()}}
	}
	var found []Finding
	leaf := svid.Certificates[0]
	switch {
	case now.After(leaf.NotAfter), now.Before(leaf.NotBefore):
		return []Finding{{
			File: file, Problem: fmt.Sprintf("identity: the SVID is valid from %s to %s, and now is %s", moment(leaf.NotBefore), moment(leaf.NotAfter), moment(now)),
			Cure: "renew it (for trials \"kuasheng certs issue\"), or set the clock right",
		}}
	case leaf.NotAfter.Sub(now) < soon:
		found = append(found, Finding{File: file, Warning: true, Problem: "identity: the SVID ends at " + moment(leaf.NotAfter), Cure: "renew it"})
	}
	// A node trusts the exchange's authority alone; only who holds its own bundle can check itself against it.
	if _, err := source.GetX509BundleForTrustDomain(svid.ID.TrustDomain()); err == nil {
		if _, _, err := x509svid.Verify(svid.Certificates, source, x509svid.WithTime(now)); err != nil {
			found = append(found, Finding{File: file, Problem: "identity: the SVID is not signed by the authorities in its own domain's bundle", Cure: "put SVID and bundle of one authority there; \"kuasheng certs show\" tells them apart"})
		}
	}
	if named && len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		found = append(found, Finding{
			File: file, Warning: true, Problem: "identity: the SVID names no host, so that curl, grpcurl and browsers refuse it",
			Cure: "issue it with the server's names, as in \"kuasheng certs issue --dns localhost --ip 127.0.0.1\"",
		})
	}
	return found
}

// CheckKeyFile finds a private key that others can read. Serving does not refuse it: an authority's tool may have just written it, and a node that
// does not start is no safer. Where there is no such file, opening the identity tells.
func CheckKeyFile(file, key, path string) []Finding {
	info, err := os.Stat(path)
	if path == "" || err != nil || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return []Finding{{
		File: file, Problem: fmt.Sprintf("%s: %s can be read by others (mode %04o)", key, path, info.Mode().Perm()),
		Cure: "replace it if anybody may have read it, then \"chmod 600\" it",
	}}
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
