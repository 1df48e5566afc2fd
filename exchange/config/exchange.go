package config

import "github.com/kuasheng/kuasheng/certs"

// Exchange is the whole file, checked. Paths are absolute or relative to the working directory, ready to be opened.
type Exchange struct {
	File        string // where it was read from
	Domain      string // trust domain of the exchange
	DataDir     string // state and access log
	Identity    Identity
	LogKey      string // file with the signer key of the access log
	SegmentSize int64  // bytes; 0 for the log's default
	Listen      Listen
}

// Identity says where the exchange's SVID comes from: files, or a SPIFFE Workload API socket.
type Identity struct {
	Files       certs.Files // re-read when they change
	WorkloadAPI string      // as in unix:///run/spire/agent.sock; excludes the files
}

// Listen holds addresses, host:port.
type Listen struct {
	GRPC    string
	REST    string // empty for none
	Metrics string // health and Prometheus over plain HTTP; empty for none
}
