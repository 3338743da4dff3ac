// Package page writes what images share as one HTML file: a picture to scale,
// the same numbers as tables, and the advice. The file needs nothing besides
// itself, neither a network nor a font, and forbids its own scripts to fetch
// anything.
package page

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/klmcwhirter/ocisi/hierarchy/layers"
)

//go:embed assets
var assets embed.FS

// Write writes the page of d. The line made stands below the heading: what
// wrote the page, of what and when; "" leaves it out. The same arguments give
// the same bytes. Every number of the page is in bytes in an attribute
// data-bytes, and d as a whole is the JSON of the element with the id document.
// Errors are those of w; what is written until then is no page.
func Write(w io.Writer, d layers.Document, made string) error {
	v, err := newView(d, made)
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"familiar": familiar,
		"figures":  figures,
		"former":   former,
		"lines":    lines,
		"per1000":  per1000,
		"size":     size,
	}).ParseFS(assets, "assets/page.html", "assets/tables.html")
	if err != nil {
		return fmt.Errorf("reading the page's template: %w", err)
	}
	if err := t.Execute(w, v); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// view is what the template sees.
type view struct {
	Document layers.Document
	All      layers.Report // the sums of all stores
	Made     string
	Policy   string // Content-Security-Policy: this style and this script, and nothing else
	Style    template.CSS
	Script   template.JS
}

func newView(d layers.Document, made string) (view, error) {
	style, err := assets.ReadFile("assets/page.css")
	if err != nil {
		return view{}, err
	}
	// One function around all, so that the files share their names and no page does.
	script := &strings.Builder{}
	script.WriteString("(() => {\n\"use strict\";\n")
	for _, name := range []string{"model", "walk", "panel", "chart", "main"} {
		part, err := assets.ReadFile("assets/" + name + ".js")
		if err != nil {
			return view{}, err
		}
		script.Write(part)
	}
	script.WriteString("})();\n")
	return view{
		Document: d,
		All:      sum(d.Stores),
		Made:     made,
		Policy:   fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'", hash(string(style)), hash(script.String())),
		Style:    template.CSS(style),          // our own file
		Script:   template.JS(script.String()), // our own files
	}, nil
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func sum(stores []layers.Store) (all layers.Report) {
	for _, s := range stores {
		all.Total += s.Total
		all.Stored += s.Stored
		all.Packed += s.Packed
		all.Shared += s.Shared
		all.Referenced += s.Referenced
		all.Copied += s.Copied
		all.Written += s.Written
		all.Kept += s.Kept
		all.Estimated = all.Estimated || s.Estimated
	}
	return all
}
