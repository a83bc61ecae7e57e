// Renders the chart's templates without helm: Go's own templates are what helm renders by, and the few
// functions that our chart uses beside Go's are here. Reads {"files": {name: text}, "data": {...}} on
// standard input, and writes {name: text}. A function that the chart uses and this lacks is an error.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"text/template"
)

type input struct {
	Files map[string]string `json:"files"`
	Data  map[string]any    `json:"data"`
}

func empty(value any) bool {
	if value == nil {
		return true
	}
	return reflect.ValueOf(value).IsZero() || isEmptyList(value)
}

func isEmptyList(value any) bool {
	kind := reflect.ValueOf(value)
	return (kind.Kind() == reflect.Map || kind.Kind() == reflect.Slice) && kind.Len() == 0
}

// toYaml gives each entry on a line of its own, as JSON, which is YAML: more entries may follow.
func toYaml(value any) (string, error) {
	var lines []string
	add := func(before string, one any) error {
		text, err := json.Marshal(one)
		lines = append(lines, before+string(text))
		return err
	}
	switch held := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(held))
		for name := range held {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if err := add(fmt.Sprintf("%q: ", name), held[name]); err != nil {
				return "", err
			}
		}
	case []any:
		for _, one := range held {
			if err := add("- ", one); err != nil {
				return "", err
			}
		}
	}
	if len(lines) == 0 {
		text, err := json.Marshal(value)
		return string(text), err
	}
	return strings.Join(lines, "\n"), nil
}

func functions(all *template.Template) template.FuncMap {
	return template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"nindent": func(width int, text string) string {
			indent := strings.Repeat(" ", width)
			return "\n" + indent + strings.ReplaceAll(text, "\n", "\n"+indent)
		},
		"join": func(between string, list []any) string {
			parts := make([]string, len(list))
			for at, one := range list {
				parts[at] = fmt.Sprint(one)
			}
			return strings.Join(parts, between)
		},
		"int": func(value any) int { return int(value.(float64)) },
		"trunc": func(most int, text string) string {
			return text[:min(most, len(text))]
		},
		"trimSuffix": func(end, text string) string { return strings.TrimSuffix(text, end) },
		"first":      func(list []any) any { return list[0] },
		"contains":   func(part, text string) bool { return strings.Contains(text, part) },
		"quote":      func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"default": func(other, value any) any {
			if empty(value) {
				return other
			}
			return value
		},
		"sha256sum": func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) },
		"toYaml":    toYaml,
		"fail":      func(text string) (string, error) { return "", errors.New(text) },
		"required": func(text string, value any) (any, error) {
			if value == nil || value == "" {
				return nil, errors.New(text)
			}
			return value, nil
		},
	}
}

func run() error {
	var given input
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		return err
	}
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	for name, text := range given.Files {
		if _, err := all.New(name).Parse(text); err != nil {
			return err
		}
	}
	rendered := map[string]string{}
	for name := range given.Files {
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, name, given.Data); err != nil {
			return err
		}
		rendered[name] = out.String()
	}
	return json.NewEncoder(os.Stdout).Encode(rendered)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
