package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kuasheng/kuasheng/certs"
	"github.com/kuasheng/kuasheng/internal/translog"
)

const (
	// defaultTimeout is longer than a slow province needs and shorter than a clerk at a counter waits.
	defaultTimeout = 30 * time.Second
	// defaultStall is how long an export may stay silent: a source that sorts millions of rows needs a minute before the first.
	defaultStall = 2 * time.Minute
	// defaultMessage takes every answer that exchanges send by default, with room for one whose operator raised the limit.
	defaultMessage = 16 << 20
	// maxMessage bounds what one answer can make the application allocate, whatever its operator configures.
	maxMessage = 256 << 20
)

// Config says whom to call, as whom, and what to trust. Zero fields take their defaults.
type Config struct {
	// Address of the exchange, "host:port".
	Address string
	// Exchange is the one ID that the server must prove. Host names play no part.
	Exchange certs.ID

	// Identity names the files of one's own SVID and of the exchange's bundle; they are read again when they change. Alternatively Source is
	// an identity that the caller keeps open longer than the client, for example from a SPIFFE Workload API.
	Identity certs.Files
	Source   *certs.Source

	// LogKey is the verifier key of the exchange's access log, in note format ("origin+hash+base64"), got by hand from its operator: without it
	// nothing is proven. Required unless Unverified is set.
	LogKey string
	// JournalKeys are verifier keys of provinces' journals, by origin. A pinned origin never falls back to the registry. See the package comment.
	JournalKeys map[string]string
	// Unverified gives the evidence up: answers come without any proof that they are what the province put on record, or that the access is
	// on record at all. For tools that ask for no data, and for tests.
	Unverified bool

	// Timeout bounds a call whose context has no deadline. Default 30 s.
	Timeout time.Duration
	// StallTimeout bounds how long an export may send nothing. Default 2 min.
	StallTimeout time.Duration
	// MaxMessageBytes bounds a message received, and with it an answer. Default 16 MiB, at most 256 MiB.
	MaxMessageBytes int

	// Logger gets renewals of the identity and, as errors, logs that show two histories; never a payload. Default: none.
	Logger *slog.Logger
}

// filled returns the configuration with its defaults, or an error that names every field that is wrong.
func (c Config) filled() (Config, error) {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.StallTimeout == 0 {
		c.StallTimeout = defaultStall
	}
	if c.MaxMessageBytes == 0 {
		c.MaxMessageBytes = defaultMessage
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func (c Config) check() error {
	var wrong []error
	refuse := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	if host, port, err := net.SplitHostPort(c.Address); err != nil || host == "" || port == "" {
		refuse("Address %q is not host:port", c.Address)
	}
	if c.Exchange.Role != certs.RoleExchange {
		refuse("Exchange %q is not the ID of an exchange, such as spiffe://exchange.example/exchange", c.Exchange)
	}
	switch files := c.Identity.SVID != "" || c.Identity.Key != ""; {
	case files && c.Source != nil:
		refuse("Identity and Source are both set")
	case !files && c.Source == nil:
		refuse("neither Identity nor Source is set")
	case files && c.Identity.Bundles[c.Exchange.TrustDomain.Name()] == "":
		refuse("Identity.Bundles has no bundle of %q, the exchange's trust domain", c.Exchange.TrustDomain.Name())
	}
	if c.LogKey == "" && !c.Unverified {
		refuse("LogKey is missing: ask the exchange's operator for the verifier key of the access log, or give the evidence up with Unverified")
	}
	if c.Timeout < 0 || c.StallTimeout < 0 {
		refuse("Timeout or StallTimeout is negative")
	}
	if c.MaxMessageBytes < 0 || c.MaxMessageBytes > maxMessage {
		refuse("MaxMessageBytes is %d, want at most %d", c.MaxMessageBytes, maxMessage)
	}
	return errors.Join(wrong...)
}

// keys reads the verifier keys. The exchange's is nil where the evidence is given up.
func (c Config) keys() (exchange note.Verifier, pins map[string]note.Verifier, err error) {
	if c.LogKey != "" {
		if exchange, err = translog.NewVerifier(c.LogKey); err != nil {
			return nil, nil, fmt.Errorf("%w: LogKey: %w", ErrConfig, err)
		}
	}
	pins = make(map[string]note.Verifier, len(c.JournalKeys))
	for origin, key := range c.JournalKeys {
		v, err := translog.NewVerifier(key)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: JournalKeys[%q]: %w", ErrConfig, origin, err)
		}
		if v.Name() != origin {
			return nil, nil, fmt.Errorf("%w: JournalKeys[%q] is a key of %q", ErrConfig, origin, v.Name())
		}
		pins[origin] = v
	}
	return exchange, pins, nil
}
