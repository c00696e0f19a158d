package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"warroom/internal/decode"
)

// resolveFiles makes every file name of c independent of the folder from which
// the program runs: ~/ is the home directory, and what is relative is relative
// to folder.
func (c *Config) resolveFiles(folder string) {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // ~/ then stays as it is, and opening the file says so
	}
	eachFile(reflect.ValueOf(c).Elem(), func(name string) string {
		rest, ofHome := strings.CutPrefix(name, "~/")
		switch {
		case name == "":
			return ""
		case ofHome && home != "":
			return filepath.Join(home, rest)
		case ofHome || filepath.IsAbs(name):
			return name
		}
		return filepath.Join(folder, name)
	})
}

// eachFile replaces every text tagged path:"true" below v.
func eachFile(v reflect.Value, replace func(string) string) {
	for _, f := range decode.Fields(v.Type()) {
		field := v.FieldByIndex(f.Index)
		switch {
		case f.FileName && field.Kind() == reflect.String:
			field.SetString(replace(field.String()))
		case f.FileName && field.Kind() == reflect.Slice:
			for i := range field.Len() {
				field.Index(i).SetString(replace(field.Index(i).String()))
			}
		case f.Struct() == nil:
		case field.Kind() == reflect.Struct:
			eachFile(field, replace)
		case field.Kind() == reflect.Pointer && !field.IsNil():
			eachFile(field.Elem(), replace)
		case field.Kind() == reflect.Slice:
			for i := range field.Len() {
				eachFile(field.Index(i), replace)
			}
		}
	}
}
