package devca

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// The names of the files WriteSVID writes.
const (
	SVIDFile = "svid.pem" // the certificate, then its chain if there is any
	KeyFile  = "svid.key" // the private key, PKCS #8, mode 0600
)

// WriteSVID writes an SVID and its key to a directory, which it makes if need be. Each file is replaced whole, so that a reader finds
// the old or the new one and never half of either; the two together are not replaced at once, and a reader that comes in between finds
// a key that does not fit. [certs.OpenFiles] then keeps what it had. After a crash in between the SVID must be issued again.
func WriteSVID(dir string, svid *x509svid.SVID) error {
	key, err := encodeKey(svid.PrivateKey)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the SVID's directory: %w", err)
	}
	if err := replaceFile(filepath.Join(dir, KeyFile), key, 0o600); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, SVIDFile), encodeCertificates(svid.Certificates...), 0o644)
}

// createFile writes a file that must not exist yet. On failure it is removed again.
func createFile(path string, data []byte, mode os.FileMode) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("creating a file: %w", err)
	}
	return finish(file, data, mode)
}

// replaceFile puts a file in place by a rename, so that its content changes from old to new at once. The data is on the disk before
// the rename; the rename itself may be lost in a crash, which leaves the old file.
func replaceFile(path string, data []byte, mode os.FileMode) error {
	// A name of its own in the same directory: two writers do not write into one file, and the rename stays within a file system.
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("creating a file: %w", err)
	}
	if err := finish(file, data, mode); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("putting a file in place: %w", err), os.Remove(file.Name()))
	}
	return nil
}

// finish writes, syncs and closes a new file, or removes it.
func finish(file *os.File, data []byte, mode os.FileMode) error {
	_, err := file.Write(data)
	// The mode given to open is cut by the umask, and CreateTemp has one of its own.
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("writing %q: %w", file.Name(), err), os.Remove(file.Name()))
	}
	return nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func encodeCertificates(chain ...*x509.Certificate) []byte {
	var data []byte
	for _, cert := range chain {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return data
}

// decode reads an authority's certificate and key. Its errors say nothing about what a key file holds.
func decode(certPEM, keyPEM []byte) (*x509.Certificate, crypto.Signer, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, nil, fmt.Errorf("%s holds no certificate", certFile)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("parsing %s: %w", certFile, err)
	}
	if block, _ = pem.Decode(keyPEM); block == nil || block.Type != "PRIVATE KEY" {
		return nil, nil, fmt.Errorf("%s holds no PKCS #8 private key", keyFile)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s holds no readable private key", keyFile)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("the key in %s cannot sign", keyFile)
	}
	return cert, signer, nil
}
