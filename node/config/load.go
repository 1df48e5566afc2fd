package config

import "github.com/kuasheng/kuasheng/internal/yamlfile"

// MaxFile bounds the file in bytes. A province publishes about a thousand resources of some 4 kilobytes each.
const MaxFile = 16 << 20

// ErrMistakes is matched by the error of a file that was read and is wrong.
var ErrMistakes = yamlfile.ErrMistakes

type (
	// Position is a place in the file, counted from 1; columns count characters.
	Position = yamlfile.Position
	// Mistake is one thing wrong with a file, and what to do about it.
	Mistake = yamlfile.Mistake
	// Mistakes is everything wrong with a file, in order of position.
	Mistakes = yamlfile.Mistakes
)

func kind() yamlfile.Kind {
	return yamlfile.Kind{Server: "node", Init: "`node init`", Max: MaxFile}
}

// Load reads a node's file. Mistakes come back as *Mistakes, which matches ErrMistakes.
func Load(path string) (*Node, error) {
	r, err := yamlfile.Load(path, kind())
	if err != nil {
		return nil, err
	}
	return read(path, r)
}

// Parse reads a node's file from memory. Relative paths are taken from the directory of name.
func Parse(name string, data []byte) (*Node, error) {
	return read(name, yamlfile.Parse(name, data, kind()))
}

func read(name string, r *yamlfile.Reader) (*Node, error) {
	n := node(name, r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return n, nil
}
