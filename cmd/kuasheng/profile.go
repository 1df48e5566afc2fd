package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// maxProfile is a hundred times what a profile needs.
const maxProfile = 256 << 10

// profile is the file that spares people from repeating flags. It holds names of files and public keys, no secrets.
type profile struct {
	Address     string   `yaml:"address"`
	ExchangeID  string   `yaml:"exchange_id"`
	SVID        string   `yaml:"svid"`
	Key         string   `yaml:"key"`
	Bundle      string   `yaml:"bundle"`
	LogKey      string   `yaml:"log_key"`
	JournalKeys []string `yaml:"journal_keys"`
}

// readProfile reads a profile; file names in it are relative to its folder.
func readProfile(path string) (*profile, error) {
	data, err := readBounded(path, nil, maxProfile)
	if err != nil {
		return nil, fmt.Errorf("reading profile: %w", err)
	}
	p, err := parseProfile(data)
	if err != nil {
		return nil, fmt.Errorf("reading profile %q: %w", path, err)
	}
	for _, file := range []*string{&p.SVID, &p.Key, &p.Bundle} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(filepath.Dir(path), *file)
		}
	}
	return p, nil
}

// parseProfile is strict: a misspelt key would silently fall back to somewhere else.
func parseProfile(data []byte) (*profile, error) {
	p := &profile{}
	if err := yaml.UnmarshalWithOptions(data, p, yaml.Strict()); err != nil && !errors.Is(err, io.EOF) {
		return nil, usagef("%s", yaml.FormatError(err, false, false))
	}
	return p, nil
}

func newProfileTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "profile",
		Short: "How to write a profile, the file that spares you from repeating flags",
		Long: `A profile is a YAML file that says whom to call and as whom. Name it with --profile or in KUASHENG_PROFILE:

  address: exchange.example:8443
  exchange_id: spiffe://exchange.example/exchange
  svid: housing-portal/svid.pem          # file names are relative to the profile
  key: housing-portal/svid.key
  bundle: exchange.pem
  log_key: exchange.example/access+1a2b3c4d+…   # by hand from the exchange's operator
  journal_keys:                          # optional: provinces' journals that you trust by key, not by the registry
    - henan.example/journal/1+5e6f7a8b+…

Flags win over the environment, and the environment over the profile. It holds no secrets; the private key stays in its own file.`,
	}
}
