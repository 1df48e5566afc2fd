package stage

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/certs/devca"
	"github.com/kuasheng/kuasheng/internal/evidence"
)

const (
	exchangeDomain  = "exchange.example"
	providerDomain  = "henan.example"
	requesterDomain = "zhejiang.example"
	replica         = "one"

	exchangeID  = "spiffe://" + exchangeDomain + "/exchange"
	adminID     = "spiffe://" + exchangeDomain + "/admin/bench"
	nodeID      = "spiffe://" + providerDomain + "/node"
	operatorID  = "spiffe://" + providerDomain + "/operator/bench"
	requesterID = "spiffe://" + requesterDomain + "/app/bench"

	journalOrigin = providerDomain + "/journal/" + replica
	providerUSCC  = "11410000MB0D00416U"
)

// system is what StartSystem knows while it works.
type system struct {
	exchange, provider, requester *devca.CA
	address                       string
	logKey, journalKey            string
	admin, operator, app          certs.Files
}

// StartSystem starts an exchange and the node of a province, makes the province and the requester's members, and gives the requester's
// application a grant without quota.
func (s *Stage) StartSystem(ctx context.Context) (e Endpoint, err error) {
	x := &system{}
	if err := s.prepare(x); err != nil {
		return e, err
	}
	exchange, err := s.start(ctx, roleExchange)
	if err != nil {
		return e, err
	}
	x.address = exchange.host.address()
	if err := x.registerMembers(ctx); err != nil {
		return e, err
	}
	if err := s.prepareNode(ctx, x); err != nil {
		return e, err
	}
	node, err := s.start(ctx, roleNode)
	if err != nil {
		return e, err
	}
	if err := x.grant(ctx); err != nil {
		return e, err
	}
	e = Endpoint{
		Address: x.address, Identity: x.app, LogKey: x.logKey, JournalKeys: map[string]string{journalOrigin: x.journalKey},
		Processes: []*Process{exchange, node},
	}
	if e.Server, err = certs.ParseID(exchangeID); err != nil {
		return e, err
	}
	e.Requests, err = Requests()
	return e, err
}

// prepare makes authorities, identities and keys.
func (s *Stage) prepare(x *system) (err error) {
	for domain, ca := range map[string]**devca.CA{exchangeDomain: &x.exchange, providerDomain: &x.provider, requesterDomain: &x.requester} {
		if *ca, err = newAuthority(domain); err != nil {
			return err
		}
	}
	if _, err = issue(x.exchange, s.path(string(roleExchange)), exchangeID, x.exchange); err != nil {
		return err
	}
	if _, err = issue(x.provider, s.path(string(roleNode)), nodeID, x.exchange); err != nil {
		return err
	}
	if x.admin, err = issue(x.exchange, s.path("admin"), adminID, x.exchange); err != nil {
		return err
	}
	if x.operator, err = issue(x.provider, s.path("operator"), operatorID, x.exchange); err != nil {
		return err
	}
	if x.app, err = issue(x.requester, s.path("app"), requesterID, x.exchange); err != nil {
		return err
	}
	if x.logKey, err = writeKeys(s.path(string(roleExchange)), exchangeDomain+"/access"); err != nil {
		return err
	}
	x.journalKey, err = writeKeys(s.path(string(roleNode)), journalOrigin)
	return err
}

// prepareNode writes what the node needs beside its identity: data, pseudonym key and configuration.
func (s *Stage) prepareNode(ctx context.Context, x *system) error {
	dir := s.path(string(roleNode))
	if err := writeDatabase(ctx, filepath.Join(dir, "data.db")); err != nil {
		return err
	}
	secret := hex.EncodeToString(append(evidence.NewSalt(), evidence.NewSalt()...))
	if err := os.WriteFile(filepath.Join(dir, "pseudonym.key"), []byte(secret), 0o600); err != nil {
		return fmt.Errorf("writing the pseudonym key: %w", err)
	}
	text := strings.NewReplacer("@ADDRESS@", quoted(x.address), "@LOGKEY@", quoted(x.logKey)).Replace(nodeYAML)
	if err := os.WriteFile(filepath.Join(dir, nodeFile), []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the node's file: %w", err)
	}
	return nil
}

// quoted is a text in JSON's quotes, which are YAML's.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return `""` // a string always encodes
	}
	return string(b)
}
