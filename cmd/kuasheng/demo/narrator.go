package demo

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

const (
	// columns is how wide the narration may be: the narrowest terminal that the access log's table fits.
	columns = 100
	// steps is how many steps there are.
	steps = 10
)

// narrator tells people what happens. Nobody can be told that telling failed, so writes are not checked.
type narrator struct {
	w    io.Writer
	step int
}

// title begins a step.
func (n *narrator) title(zh, en string) {
	n.step++
	fmt.Fprintf(n.w, "\n[%d/%d] %s  %s\n", n.step, steps, zh, en)
}

// say tells something, broken into lines between words.
func (n *narrator) say(format string, args ...any) { n.wrap("  ", fmt.Sprintf(format, args...)) }

// pauses marks the places where a Chinese text, which has no spaces, may be broken.
var pauses = strings.NewReplacer("。", "。\x00", "；", "；\x00", "，", "，\x00")

// wrap breaks a text into lines between words, and between the parts of a Chinese sentence, each line with an indent.
func (n *narrator) wrap(indent, text string) {
	line, used := indent, len(indent)
	for _, word := range strings.Fields(text) {
		space := 1
		for _, part := range strings.Split(pauses.Replace(word), "\x00") {
			w := width(part)
			switch {
			case used > len(indent) && used+space+w > columns:
				fmt.Fprintln(n.w, line)
				line, used = indent, len(indent)
			case used > len(indent) && space > 0 && w > 0:
				line, used = line+" ", used+1
			}
			line, used, space = line+part, used+w, 0
		}
	}
	fmt.Fprintln(n.w, line)
}

// line tells something that must not be broken: a command to paste, a row of a list.
func (n *narrator) line(format string, args ...any) {
	fmt.Fprintf(n.w, "  "+format+"\n", args...)
}

// table aligns cells in columns, also where Chinese characters take two.
func (n *narrator) table(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	for _, row := range rows {
		line := " "
		for i, cell := range row {
			line += " " + clean(cell) + strings.Repeat(" ", widths[i]-width(cell)+1)
		}
		fmt.Fprintln(n.w, strings.TrimRight(line, " "))
	}
}

// width is how many columns of a terminal a text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if unicode.In(r, unicode.Han) || r >= 0x3000 && r <= 0x303f || r >= 0xff01 && r <= 0xff60 {
			n++
		}
	}
	return n
}

// clean keeps texts that servers wrote from sending control sequences to the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// gap is an empty line.
func (n *narrator) gap() { fmt.Fprintln(n.w) }
