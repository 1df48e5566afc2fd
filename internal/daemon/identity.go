package daemon

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/kuasheng/kuasheng/certs"
)

// OpenIdentity opens the server's own identity, from a Workload API socket if one is named and from files otherwise, and holds it to who the server
// must be: a server with somebody else's SVID would be refused by all its callers, without ever being told why.
func OpenIdentity(ctx context.Context, files certs.Files, socket string, role certs.Role, domain string, logger *slog.Logger) (*certs.Source, error) {
	var source *certs.Source
	var err error
	if socket != "" {
		source, err = certs.OpenWorkload(ctx, socket, logger)
	} else {
		source, err = certs.OpenFiles(ctx, files, logger)
	}
	if err != nil {
		return nil, err
	}
	id := source.ID()
	if id.Role == role && (domain == "" || id.TrustDomain.Name() == domain) {
		return source, nil
	}
	if domain == "" {
		domain = "<trust domain>"
	}
	_ = source.Close() // never fails
	return nil, fmt.Errorf("checking the identity: %w: the SVID is of %s, and must be of spiffe://%s/%s", certs.ErrSource, id, domain, role)
}
