package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adrg/xdg"

	"warroom/internal/decode"
)

// EnvFile is the environment variable that names the file to load.
const EnvFile = "WARROOM_CONFIG"

// fileName is what the file is called, in the working directory and below the
// XDG configuration directories.
const fileName = "warroom.yaml"

// ErrNotFound says that no warroom.yaml is where Find looks.
var ErrNotFound = errors.New("no warroom.yaml")

// Error is everything that is wrong with one file.
type Error struct {
	File     string
	Problems decode.Problems // at least one, in the order of their lines
}

// Error is one problem a line, each as file:line:column: path: what is wrong.
func (e *Error) Error() string { return e.Problems.Error() }

// Find returns the file to load when none was named: that of $WARROOM_CONFIG,
// else ./warroom.yaml, else warroom/warroom.yaml in the XDG configuration
// directories. The error is ErrNotFound and says what to do.
func Find() (string, error) {
	if named := os.Getenv(EnvFile); named != "" {
		return named, nil
	}
	if _, err := os.Stat(fileName); err == nil {
		return fileName, nil
	}
	if found, err := xdg.SearchConfigFile(filepath.Join("warroom", fileName)); err == nil {
		return found, nil
	}
	return "", fmt.Errorf("%w in this folder or %s, and %s names none; have one written from what this machine can reach: warroom init — or begin with the example: warroom config example > %s — or practise without one: warroom drill",
		ErrNotFound, filepath.Join(xdg.ConfigHome, "warroom"), EnvFile, fileName)
}

// Load reads and validates the file at path. What is wrong with what it says is
// an *Error; what keeps it from being read is not.
func Load(path string) (*Config, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("reading the configuration %s: it is a folder; name the file in it, for example %s", path, filepath.Join(path, fileName))
	}
	// One byte more than is allowed tells too large from just large enough.
	data, err := io.ReadAll(io.LimitReader(file, decode.MaxSize+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return Parse(path, data)
}

func unreadable(path string, err error) error {
	var reason *os.PathError
	if errors.As(err, &reason) {
		path = reason.Path
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("reading the configuration %s: %w; write one with: warroom init, or begin with the example: warroom config example > %s", path, reason.Err, fileName)
		}
		err = reason.Err
	}
	return fmt.Errorf("reading the configuration %s: %w", path, err)
}

// Parse reads and validates data. file is the name that problems carry, and
// relative file names in data are resolved against its folder. The error is an
// *Error with all that is wrong.
func Parse(file string, data []byte) (*Config, error) {
	c := &Config{}
	doc := decode.YAML(file, data, c, decode.KeyHint(secretHint))
	if !doc.Broken() {
		validate(c, doc)
	}
	if problems := doc.Problems(); len(problems) > 0 {
		return nil, &Error{File: file, Problems: problems}
	}
	c.Path = file
	c.inherit(doc)
	c.resolveFiles(filepath.Dir(file))
	return c, nil
}

// secretWords are parts of keys that only a secret's value would stand under.
var secretWords = []string{"password", "passwd", "passphrase", "pwd", "api_key", "apikey", "access_key", "secret_key", "secret_string",
	"secret_value", "private_key", "credential"}

// urlHint answers an unknown key url, which is a webhook's more often than not.
const urlHint = "the URL of a webhook is a secret and never stands in this file: put it into an environment variable or a file, and name that with url_env or url_file; if a real one was written here, make a new one"

// secretHint answers keys under which somebody would write a secret's value.
func secretHint(key string) string {
	lower := strings.ToLower(key)
	if lower == "webhook_url" || lower == "url" {
		return urlHint
	}
	for _, word := range secretWords {
		if strings.Contains(lower, word) && !strings.HasSuffix(lower, "file") && !strings.HasSuffix(lower, "files") {
			return "secrets are named here, not written: store it, and name it in a secrets_manager block; if this was a real one, rotate it"
		}
	}
	return ""
}

// inherit fills the policy of stored secrets from their component, where the
// file leaves it out.
func (c *Config) inherit(doc *decode.Document) {
	for i := range c.Components {
		component := &c.Components[i]
		block, kept := component.kept()
		base := decode.Join(decode.Index("components", i), block)
		for j := range kept {
			secret := &kept[j]
			at := decode.Index(decode.Join(base, "secrets"), j)
			written := doc.Keys(at)
			secret.Policy = inherited(secret.Policy, component.Policy, func(key string) bool { return slices.Contains(written, key) })
		}
	}
	c.inherited = true
}

// inherited is own with the fields that were not written taken from parent.
func inherited(own, parent Policy, written func(key string) bool) Policy {
	take := func(key string, to *string, from string) {
		if !written(key) {
			*to = from
		}
	}
	take("criticality", &own.Criticality, parent.Criticality)
	take("owner", &own.Owner, parent.Owner)
	take("contact", &own.Contact, parent.Contact)
	take("fallback", &own.Fallback, parent.Fallback)
	take("expiry", &own.Expiry, parent.Expiry)
	if !written("grace") {
		own.Grace = parent.Grace
	}
	return own
}
