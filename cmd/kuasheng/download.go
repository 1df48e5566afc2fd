package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/kuasheng/kuasheng/exchange/client"
	queryv1 "github.com/kuasheng/kuasheng/gen/kuasheng/query/v1"
)

// download is an export on its way into a file:
//
//	FILE.part        the rows so far
//	FILE.part.json   what a resumption needs besides the rows; durable before the first of them is written
//	FILE             the whole, renamed from FILE.part once it is proven
//
// After a crash FILE.part may end in half a row: a resumption counts the whole ones and cuts the rest off.
type download struct {
	path    string
	request []byte
	f       *os.File
	part    client.Part // what an earlier run received
	begun   bool        // this run has written the note
}

// downloadNote is FILE.part.json.
type downloadNote struct {
	// Request is a salted digest of the question, so that --resume with other flags is found before it is put on record.
	Request    []byte `json:"request"`
	MediaType  string `json:"media_type"`
	AnswerSalt []byte `json:"answer_salt"`
}

// maxNote is many times what the note takes.
const maxNote = 64 << 10

func openDownload(path string, req *queryv1.ExportResourceRequest, resume bool) (*download, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("exporting into %q: it exists already; move it away or name another file", path)
	}
	request, err := encodeRequest(req)
	if err != nil {
		return nil, err
	}
	d := &download{path: path, request: request}
	if resume {
		return d, d.reopen()
	}
	if d.f, err = newPrivateFile(d.partPath()); err != nil {
		return nil, fmt.Errorf("%w; if it is an export that was cut, go on with --resume", err)
	}
	return d, nil
}

// reopen finds an export that was cut.
func (d *download) reopen() error {
	data, err := readBounded(d.notePath(), nil, maxNote)
	if errors.Is(err, os.ErrNotExist) {
		return usagef("--resume: %q is not there, so nothing was begun; leave --resume away, and remove %q if it exists", d.notePath(), d.partPath())
	}
	if err != nil {
		return err
	}
	var note downloadNote
	if err := json.Unmarshal(data, &note); err != nil {
		return fmt.Errorf("reading %q: it is damaged; remove it and %q, and export anew", d.notePath(), d.partPath())
	}
	if !bytes.Equal(note.Request, d.digest(note.AnswerSalt)) {
		return usagef("--resume: the export in %q asked something else; repeat its flags exactly", d.partPath())
	}
	return d.recover(note)
}

func (d *download) partPath() string { return d.path + ".part" }

func (d *download) notePath() string { return d.path + ".part.json" }

// encodeRequest is the question as bytes, without what is fresh for every access.
func encodeRequest(req *queryv1.ExportResourceRequest) ([]byte, error) {
	asked := proto.CloneOf(req)
	asked.RequestId = ""
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(asked)
	if err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	return b, nil
}

// digest is over the question under the answer's salt: parameters may hold an identity number, and without the salt one could try them all.
func (d *download) digest(salt []byte) []byte {
	sum := sha256.Sum256(append(bytes.Clone(salt), d.request...))
	return sum[:]
}

// begin is called once the beginning is proven.
func (d *download) begin(part client.Part) error {
	if d.part.Rows > 0 {
		return nil // resumed: the note is there
	}
	b, err := json.Marshal(downloadNote{Request: d.digest(part.AnswerSalt), MediaType: part.MediaType, AnswerSalt: part.AnswerSalt})
	if err != nil {
		return fmt.Errorf("encoding the state of an export: %w", err)
	}
	d.begun = true
	return replaceDurable(d.notePath(), append(b, '\n'))
}

// recover finds the whole rows of an earlier part.
func (d *download) recover(note downloadNote) error {
	f, err := os.OpenFile(d.partPath(), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("opening the rows received before: %w", err)
	}
	d.f = f
	d.part = client.Part{MediaType: note.MediaType, AnswerSalt: note.AnswerSalt}
	if d.part.Rows, d.part.Bytes, err = wholeRows(f); err == nil {
		err = f.Truncate(d.part.Bytes)
	}
	if err == nil {
		_, err = f.Seek(d.part.Bytes, io.SeekStart)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("reading the rows received before: %w", err), f.Close())
	}
	return nil
}

// wholeRows counts rows that end, and the bytes up to the end of the last.
func wholeRows(r io.Reader) (rows, size int64, err error) {
	buf := make([]byte, 256<<10) // streams, whatever the file's size
	var read int64
	for {
		n, err := r.Read(buf)
		if last := bytes.LastIndexByte(buf[:n], '\n'); last >= 0 {
			rows += int64(bytes.Count(buf[:n], []byte("\n")))
			size = read + int64(last) + 1
		}
		read += int64(n)
		if errors.Is(err, io.EOF) {
			return rows, size, nil
		}
		if err != nil {
			return 0, 0, err
		}
	}
}

// received gives the rows of the earlier part, beside the place where new ones are written.
func (d *download) received() io.Reader { return io.NewSectionReader(d.f, 0, d.part.Bytes) }

func (d *download) take(data []byte) error {
	_, err := d.f.Write(data)
	return err
}

// complete puts the proven whole in place. After a crash in between, --resume finds everything received.
func (d *download) complete() error {
	if err := errors.Join(d.f.Sync(), d.f.Close()); err != nil {
		return fmt.Errorf("writing %q: %w", d.f.Name(), err)
	}
	if err := os.Rename(d.f.Name(), d.path); err != nil {
		return fmt.Errorf("putting the export in place: %w", err)
	}
	if err := os.Remove(d.notePath()); err != nil {
		return fmt.Errorf("removing the state of the export: %w", err)
	}
	return nil
}

func (d *download) close() error { return errors.Join(d.f.Sync(), d.f.Close()) }

// discardEmpty removes what an export that never began leaves: files without rows that would stand in the way of the next try.
func (d *download) discardEmpty() error {
	info, err := os.Stat(d.f.Name())
	if err != nil || info.Size() > 0 || d.begun {
		return err
	}
	err = os.Remove(d.notePath())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.Remove(d.f.Name()))
}
