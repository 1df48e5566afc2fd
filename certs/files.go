package certs

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

const (
	// pollInterval is how often files are looked at: a renewed SVID or a withdrawn authority counts within a second. Looking is a stat
	// per file; file events would save it, but do not exist on the network file systems and mounted secrets that bureaus use.
	pollInterval = time.Second
	// settleTime is how old a file must be before its time stamp is believed to change with the next write: file systems count in
	// steps of up to two seconds.
	settleTime = 2 * time.Second
)

// Files names the PEM files of an identity.
type Files struct {
	SVID    string            // certificates, the leaf first
	Key     string            // its private key, PKCS #8
	Bundles map[string]string // trust domain, such as "henan.example" → file with its authorities
}

// OpenFiles reads the files at once and then follows their changes. Errors wrap ErrSource and say which file is wrong and what helps.
//
// A change takes effect only when the whole new set can be read and the key fits the certificate. Until then, for example between the
// two renames of a renewal, the old set stays in use and the reason is logged once. An SVID that has expired is not an error but a
// warning: it can be renewed while the program runs.
func OpenFiles(ctx context.Context, files Files, logger *slog.Logger) (*Source, error) {
	f := &follower{files: files, logger: logger}
	f.files.Bundles = maps.Clone(files.Bundles)
	first, err := f.read()
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(files.Key); err == nil && info.Mode().Perm()&0o077 != 0 {
		logger.Warn("private key can be read by others: chmod 600", "file", files.Key)
	}
	f.warn(first)
	return newSource(ctx, first, f.follow), nil
}

// follower follows the changes of one set of files. After OpenFiles only its goroutine uses it.
type follower struct {
	files   Files
	logger  *slog.Logger
	seen    []fs.FileInfo // of each file at the last reading
	settled bool          // whether seen will differ after any later write
	failed  string        // the error logged last, "" when the last reading went well
	warned  string        // the warning about the current SVID logged last
}

func (f *follower) follow(ctx context.Context, s *Source) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			f.poll(s)
		}
	}
}

func (f *follower) poll(s *Source) {
	if f.failed != "" || !f.settled || !f.unchanged() {
		next, err := f.read()
		switch {
		case err != nil && err.Error() != f.failed:
			f.failed = err.Error()
			f.logger.Warn("identity not renewed, the old one stays in use", "error", err)
		case err == nil:
			f.failed = ""
			if s.publish(next) {
				f.warned = ""
				f.logger.Info("identity renewed", "id", next.id.String(), "not_after", next.svid.Certificates[0].NotAfter)
			}
		}
	}
	f.warn(s.current.Load())
}

// warn logs a late renewal once.
func (f *follower) warn(m *material) {
	if late := m.lateness(time.Now()); late != f.warned {
		if f.warned = late; late != "" {
			f.logger.Warn(late, "id", m.id.String(), "file", f.files.SVID, "not_after", m.svid.Certificates[0].NotAfter)
		}
	}
}

// paths lists all files, always in the same order.
func (f *follower) paths() []string {
	paths := []string{f.files.SVID, f.files.Key}
	for _, td := range slices.Sorted(maps.Keys(f.files.Bundles)) {
		paths = append(paths, f.files.Bundles[td])
	}
	return paths
}

func (f *follower) unchanged() bool {
	for i, path := range f.paths() {
		info, err := os.Stat(path)
		if err != nil || !os.SameFile(info, f.seen[i]) || info.Size() != f.seen[i].Size() || !info.ModTime().Equal(f.seen[i].ModTime()) {
			return false
		}
	}
	return true
}

// read reads the whole set. The files are stamped first: one that changes while it is read will look changed at the next poll.
func (f *follower) read() (*material, error) {
	var seen []fs.FileInfo
	settled := true
	for _, path := range f.paths() {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("looking for %q: %w: %w; %s", path, ErrSource, err, cureIssue)
		}
		seen = append(seen, info)
		settled = settled && time.Since(info.ModTime()) > settleTime
	}
	f.seen, f.settled = seen, settled

	cert, err := readPEM(f.files.SVID)
	if err != nil {
		return nil, fmt.Errorf("reading SVID %q: %w: %w; %s", f.files.SVID, ErrSource, err, cureIssue)
	}
	key, err := readKey(f.files.Key)
	if err != nil {
		return nil, fmt.Errorf("reading key %q: %w: %w", f.files.Key, ErrSource, err)
	}
	svid, err := x509svid.Parse(cert, key)
	if err != nil {
		return nil, fmt.Errorf("joining SVID %q and key %q: %w: %w; %s", f.files.SVID, f.files.Key, ErrSource, err, cureShow)
	}
	bundles := make(map[spiffeid.TrustDomain]*x509bundle.Bundle, len(f.files.Bundles))
	for name, path := range f.files.Bundles {
		bundle, err := readBundle(name, path)
		if err != nil {
			return nil, err
		}
		bundles[bundle.TrustDomain()] = bundle
	}
	m, err := newMaterial(svid, bundles)
	if err != nil {
		return nil, fmt.Errorf("reading SVID %q: %w: %w; %s", f.files.SVID, ErrSource, err, cureIssue)
	}
	return m, nil
}

func readBundle(name, path string) (*x509bundle.Bundle, error) {
	td, err := spiffeid.TrustDomainFromString(name)
	if err != nil {
		return nil, fmt.Errorf("reading trust domain %q of bundle %q: %w: %w; write it like henan.example", name, path, ErrSource, err)
	}
	data, err := readPEM(path)
	if err != nil {
		return nil, fmt.Errorf("reading the bundle of %s from %q: %w: %w; %s", td.Name(), path, ErrSource, err, cureBundle)
	}
	bundle, err := x509bundle.Parse(td, data)
	if err != nil {
		return nil, fmt.Errorf("reading the bundle of %s from %q: %w: %w; %s", td.Name(), path, ErrSource, err, cureBundle)
	}
	if bundle.Empty() {
		return nil, fmt.Errorf("reading the bundle of %s from %q: %w: it holds no certificate; %s", td.Name(), path, ErrSource, cureBundle)
	}
	return bundle, nil
}
