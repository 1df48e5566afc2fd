package certs

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// What to do about a file that cannot be used; the ends of error texts.
const (
	cureIssue  = `check the path, or make a trial identity with "kuasheng certs issue"`
	cureShow   = `compare them with "kuasheng certs show"`
	cureBundle = `get bundle.pem from whoever runs that domain's authority`
)

// maxFile bounds what is read of a file, so that a wrong path (a device, a log) does not fill the memory. A bundle of a hundred
// authorities has a fifth of it.
const maxFile = 1 << 20

// readPEM reads a PEM file whole, or not at all. The parsers behind it skip a block that is cut off: a bundle that is just being written
// would silently lose its last authority, and with it a province's callers.
func readPEM(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	if _, err := pemBlocks(data); err != nil {
		return nil, err
	}
	return data, nil
}

// readKey reads a file with a private key in PKCS #8. Other forms of key, which older tools write, get an error that names the cure.
func readKey(path string) ([]byte, error) {
	data, err := readPEM(path)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, cureIssue)
	}
	blocks, err := pemBlocks(data)
	if err != nil {
		return nil, err
	}
	for _, block := range blocks {
		switch block.Type {
		case "PRIVATE KEY":
			return data, nil
		case "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
			return nil, fmt.Errorf("it holds an %q, but PKCS #8 without a password is wanted: convert it with \"openssl pkcs8 -topk8 -nocrypt\"", block.Type)
		}
	}
	return nil, fmt.Errorf("it holds no private key; %s", cureIssue)
}

// pemBlocks splits PEM data and refuses any that has a damaged or cut-off block, or none.
func pemBlocks(data []byte) ([]*pem.Block, error) {
	var blocks []*pem.Block
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks = append(blocks, block)
	}
	switch begun := bytes.Count(data, []byte("-----BEGIN ")); {
	case begun == 0:
		return nil, errors.New("it holds no PEM block (-----BEGIN …)")
	case begun != len(blocks):
		return nil, fmt.Errorf("only %d of its %d PEM blocks are whole", len(blocks), begun)
	}
	return blocks, nil
}
