//go:build linux

package main

import (
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// screen is an emulated terminal that answers what programs ask a modern one.
type screen struct {
	emulator      *vt.Emulator
	width, height int
}

func newScreen(width, height int) *screen {
	s := &screen{emulator: vt.NewEmulator(width, height), width: width, height: height}
	// The emulator answers device attributes, the cursor's position, colours and
	// modes. A mode it has never seen it calls unknown: these two it is to know,
	// as terminals of today do (synchronized output, grapheme clusters).
	_, _ = s.emulator.WriteString("\x1b[?2026l\x1b[?2027l")
	answer := func(text string) bool {
		_, _ = io.WriteString(s.emulator.InputPipe(), text)
		return true
	}
	s.emulator.RegisterCsiHandler(ansi.Command('?', 0, 'u'), func(ansi.Params) bool {
		return answer("\x1b[?0u") // kitty's keyboard protocol, nothing switched on
	})
	s.emulator.RegisterCsiHandler(ansi.Command('>', 0, 'q'), func(params ansi.Params) bool {
		if n, _, _ := params.Param(0, 0); n != 0 {
			return false
		}
		return answer("\x1bP>|bench 1\x1b\\")
	})
	s.emulator.RegisterDcsHandler(ansi.Command(0, '+', 'q'), func(ansi.Params, []byte) bool {
		return answer("\x1bP0+r\x1b\\") // termcap: not known here
	})
	return s
}

// close ends the emulator's answers: who reads them sees their end. The
// emulator's own Close would race with that reader.
func (s *screen) close() {
	if pipe, ok := s.emulator.InputPipe().(io.Closer); ok {
		_ = pipe.Close()
	}
}

// row is the text of a row without what is blank at its end.
func (s *screen) row(y int) string {
	var b strings.Builder
	for x := 0; x < s.width; x++ {
		cell := s.emulator.CellAt(x, y)
		switch {
		case cell == nil || cell.Content == "" && cell.Width != 0:
			b.WriteByte(' ')
		default: // the second half of a wide cell has no content
			b.WriteString(cell.Content)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// has says whether every one of the texts is in some row.
func (s *screen) has(texts ...string) bool {
	left := len(texts)
	found := make([]bool, len(texts))
	for y := 0; y < s.height && left > 0; y++ {
		row := s.row(y)
		for i, text := range texts {
			if !found[i] && strings.Contains(row, text) {
				found[i] = true
				left--
			}
		}
	}
	return left == 0
}
