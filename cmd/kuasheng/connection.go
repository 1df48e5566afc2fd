package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/exchange/client"
	"github.com/kuasheng/kuasheng/internal/translog"
)

// setting is one thing that a connection needs to know. Flag, environment and profile are tried in this order.
type setting struct {
	flag, env, help string
	value           func(*profile) *string
}

const profileEnv = "KUASHENG_PROFILE"

func settings() []setting {
	return []setting{
		{"address", "KUASHENG_ADDRESS", "host:port of the exchange", func(p *profile) *string { return &p.Address }},
		{"exchange-id", "KUASHENG_EXCHANGE_ID", "SPIFFE ID that the exchange must prove", func(p *profile) *string { return &p.ExchangeID }},
		{"svid", "KUASHENG_SVID", "file with your certificate (PEM)", func(p *profile) *string { return &p.SVID }},
		{"key", "KUASHENG_KEY", "file with its private key (PEM)", func(p *profile) *string { return &p.Key }},
		{"bundle", "KUASHENG_BUNDLE", "file with the exchange's authorities (PEM)", func(p *profile) *string { return &p.Bundle }},
		{"log-key", "KUASHENG_LOG_KEY", "verifier key of the exchange's log, got by hand", func(p *profile) *string { return &p.LogKey }},
	}
}

// settingsHelp lists flags and environment for the root's help.
func settingsHelp() string {
	var b strings.Builder
	for _, s := range settings() {
		fmt.Fprintf(&b, "  --%-12s %-21s %s\n", s.flag, s.env, s.help)
	}
	fmt.Fprintf(&b, "  --%-12s %-21s %s\n", "profile", profileEnv, "YAML file with all of these")
	return b.String()
}

// connection is how a command reaches the exchange.
type connection struct {
	flags      profile
	file       string
	timeout    time.Duration
	unverified bool
	pins       []string
}

// register adds the flags to a command and the commands under it.
func (c *connection) register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	for _, s := range settings() {
		flags.StringVar(s.value(&c.flags), s.flag, "", s.help+" ("+s.env+")")
	}
	flags.StringVar(&c.file, "profile", "", "YAML file with these settings ("+profileEnv+")")
	flags.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long a call may take")
}

// registerEvidence adds the flags of commands that verify.
func (c *connection) registerEvidence(cmd *cobra.Command) {
	cmd.PersistentFlags().StringArrayVar(&c.pins, "pin-journal", nil, "verifier key of a province's journal that is trusted instead of the registry's; may be repeated")
	cmd.PersistentFlags().BoolVar(&c.unverified, "unverified", false, "give the evidence up: take what comes without proof")
}

// resolve puts flags, environment and profile together.
func (c *connection) resolve() (*profile, error) {
	path := c.file
	if path == "" {
		path = os.Getenv(profileEnv)
	}
	p := &profile{}
	if path != "" {
		var err error
		if p, err = readProfile(path); err != nil {
			return nil, err
		}
	}
	for _, s := range settings() {
		for _, v := range []string{*s.value(&c.flags), os.Getenv(s.env)} {
			if v != "" {
				*s.value(p) = v
				break
			}
		}
	}
	p.JournalKeys = append(p.JournalKeys, c.pins...)
	return p, nil
}

// dial prepares a client. A command that verifies nothing needs no log key.
func (c *connection) dial(cmd *cobra.Command, verifies bool) (*client.Client, error) {
	p, err := c.resolve()
	if err != nil {
		return nil, err
	}
	unverified := c.unverified || !verifies && p.LogKey == ""
	if err := p.complete(unverified); err != nil {
		return nil, err
	}
	if c.unverified {
		fmt.Fprintln(cmd.ErrOrStderr(), "warning: --unverified: nothing is proven about what comes")
	}
	exchange, err := certs.ParseID(p.ExchangeID)
	if err != nil {
		return nil, asUsage(err)
	}
	pins := make(map[string]string, len(p.JournalKeys))
	for _, key := range p.JournalKeys {
		v, err := translog.NewVerifier(key)
		if err != nil {
			return nil, usagef("--pin-journal or journal_keys: %w", err)
		}
		pins[v.Name()] = key
	}
	return client.Dial(cmd.Context(), client.Config{
		Address: p.Address, Exchange: exchange, LogKey: p.LogKey, JournalKeys: pins, Unverified: unverified, Timeout: c.timeout,
		Identity: certs.Files{SVID: p.SVID, Key: p.Key, Bundles: map[string]string{exchange.TrustDomain.Name(): p.Bundle}},
		Logger:   slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// with runs f with a client that is closed afterwards.
func (c *connection) with(cmd *cobra.Command, verifies bool, f func(*client.Client) error) error {
	cl, err := c.dial(cmd, verifies)
	if err != nil {
		return err
	}
	err = f(cl)
	// What closing frees is the process's anyway, and it is about to end.
	_ = cl.Close()
	return err
}

// complete names every setting that is missing, and where to put it.
func (p *profile) complete(unverified bool) error {
	var missing []string
	for _, s := range settings() {
		if *s.value(p) == "" && (s.flag != "log-key" || !unverified) {
			missing = append(missing, fmt.Sprintf("--%s (or %s): %s", s.flag, s.env, s.help))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return usagef("not known: %s; or put them all into a profile, see \"kuasheng help profile\"", strings.Join(missing, "; "))
}
