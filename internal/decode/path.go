package decode

import (
	"fmt"
	"strconv"
	"strings"
)

// path is where the decoder is, as a list from the leaf to the root: turned into
// text only when there is a problem to report.
type path struct {
	up    *path
	key   string
	index int // of a list item; -1 for a key
}

func (p *path) child(key string) *path { return &path{up: p, key: key, index: -1} }
func (p *path) item(i int) *path       { return &path{up: p, index: i} }

func (p *path) String() string {
	if p == nil {
		return ""
	}
	if p.index >= 0 {
		return Index(p.up.String(), p.index)
	}
	return Join(p.up.String(), p.key)
}

// Join is the path of key below path. A key that is not a plain word is quoted.
func Join(path, key string) string {
	if !plainKey(key) {
		return path + "[" + strconv.Quote(clip(key, 60)) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Index is the path of item i of the list at path.
func Index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func plainKey(key string) bool {
	if key == "" || len(key) > 60 {
		return false
	}
	for _, r := range key {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

// segments takes a path made by Join and Index apart: string keys and int
// indexes.
func segments(path string) []any {
	var out []any
	for path != "" {
		switch {
		case path[0] == '.':
			path = path[1:]
		case strings.HasPrefix(path, `["`):
			quoted, err := strconv.QuotedPrefix(path[1:])
			if err != nil {
				return out
			}
			key, _ := strconv.Unquote(quoted)
			out = append(out, key)
			path = strings.TrimPrefix(path[1+len(quoted):], "]")
		case path[0] == '[':
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return out
			}
			n, err := strconv.Atoi(path[1:end])
			if err != nil {
				return out
			}
			out = append(out, n)
			path = path[end+1:]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			out = append(out, path[:end])
			path = path[end:]
		}
	}
	return out
}
