package stage

import (
	"context"
	"fmt"
	"os"

	"github.com/kuasheng/kuasheng/certs"
)

const (
	plainDomain = "plain.example"
	plainID     = "spiffe://" + plainDomain + "/exchange"
	plainApp    = "spiffe://" + plainDomain + "/app/bench"
)

// StartPlain starts a plain gRPC server over mutual TLS that gives the answer to whatever it is asked.
func (s *Stage) StartPlain(ctx context.Context, answer []byte) (Endpoint, error) {
	return s.startPlain(ctx, rolePlain, answer)
}

// StartPlainSource starts a plain gRPC server over mutual TLS that asks the node's database for every answer. [Stage.StartSystem] must have made it.
func (s *Stage) StartPlainSource(ctx context.Context) (Endpoint, error) {
	return s.startPlain(ctx, rolePlainSource, nil)
}

func (s *Stage) startPlain(ctx context.Context, r role, answer []byte) (e Endpoint, err error) {
	ca, err := newAuthority(plainDomain)
	if err != nil {
		return e, err
	}
	if _, err := issue(ca, s.path(string(r)), plainID, ca); err != nil {
		return e, err
	}
	if err := os.WriteFile(s.path(string(r), answerFile), answer, 0o600); err != nil {
		return e, fmt.Errorf("writing the answer to give: %w", err)
	}
	if e.Identity, err = issue(ca, s.path(string(r)+"-app"), plainApp, ca); err != nil {
		return e, err
	}
	if e.Server, err = certs.ParseID(plainID); err != nil {
		return e, err
	}
	p, err := s.start(ctx, r)
	if err != nil {
		return e, err
	}
	e.Address, e.Processes = p.host.address(), []*Process{p}
	return e, nil
}
