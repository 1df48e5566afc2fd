package demo

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kuasheng/kuasheng/internal/translog/segment"
)

// forgedClerk replaces the clerk who asked: somebody wants to have been somebody else.
const forgedClerk = "clerk-71"

// tamper forges one record in a copy of the access log, as somebody with full control of the exchange's disk would, and has the copy verified.
func (s *story) tamper(ctx context.Context) error {
	dir := s.folder.path("tampered")
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the last start's copy: %w", err)
	}
	if err := os.CopyFS(dir, os.DirFS(s.exchange.logDir)); err != nil {
		return fmt.Errorf("copying the log: %w", err)
	}
	if _, err := verifyLog(ctx, dir, s.logKey); err != nil {
		return mustf("the copy does not verify before it is forged: %v", err)
	}
	victim := s.victim()
	record, index := victim.Response.GetIntentReceipt().GetRecord(), victim.Evidence.Intent.Index
	if err := forge(dir, record, []byte(clerk), []byte(forgedClerk)); err != nil {
		return err
	}
	s.say("Somebody who owns the exchange's disk writes %q over %q in record %d of a copy, and makes both checksums anew.", forgedClerk, clerk, index)
	_, err := verifyLog(ctx, dir, s.logKey)
	var fault *segment.Fault
	switch {
	case err == nil:
		return mustf("the forged copy verifies")
	case !errors.As(err, &fault):
		return err
	case fault.Index != index:
		return mustf("record %d was forged, and record %d is said to be wrong", index, fault.Index)
	}
	s.line("✓ found out: record %d is wrong: %v", fault.Index, fault.Err)
	s.say("The forger cannot sign the tree's new root, and everybody with a receipt or a checkpoint has the old one.")
	return nil
}

// Places in a block's header: see package segment.
const (
	page        = 4096
	blockHeader = 64
	blockMagic  = "KSLB"
)

// forge replaces bytes in one record, wherever its block is, and repairs the checksums of the block.
func forge(dir string, record, old, new []byte) error {
	if len(old) != len(new) || !bytes.Contains(record, old) {
		return mustf("the record does not hold what is to be forged")
	}
	segments, err := fs.Glob(os.DirFS(dir), "segment-*")
	if err != nil {
		return fmt.Errorf("looking for segments: %w", err)
	}
	for _, name := range segments {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading a segment: %w", err)
		}
		// The record's salt makes its bytes unique.
		at := bytes.Index(data, record)
		if at < 0 {
			continue
		}
		copy(data[at+bytes.Index(record, old):], new)
		if err := repair(data, at); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return fmt.Errorf("writing a segment: %w", err)
		}
		return nil
	}
	return mustf("the record is in no segment")
}

// repair makes the checksums of the block that holds an offset fit again. A block begins with a page.
func repair(data []byte, at int) error {
	table := crc32.MakeTable(crc32.Castagnoli)
	for start := at / page * page; start > 0; start -= page {
		block := data[start:]
		if !bytes.HasPrefix(block, []byte(blockMagic)) {
			continue
		}
		size := blockHeader + int(binary.BigEndian.Uint32(block[28:])) + int(binary.BigEndian.Uint32(block[32:]))
		size = (size + page - 1) / page * page
		if size > len(block) || start+size <= at {
			continue
		}
		binary.BigEndian.PutUint32(block[36:], crc32.Checksum(block[blockHeader:size], table))
		binary.BigEndian.PutUint32(block[60:], crc32.Checksum(block[:60], table))
		return nil
	}
	return mustf("the record is in no block")
}
