package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"time"
)

// file is a file of an archive.
type file struct {
	name string // with slashes, relative to the directory in the archive; that of a directory ends in one
	mode int64  // 0o755 or 0o644
	path string // of its content; unused for a directory
}

// writeTar writes files to w, their names after prefix. They belong to root and have the given date.
func writeTar(w io.Writer, prefix string, files []file, date time.Time) error {
	archive := tar.NewWriter(w)
	for _, f := range files {
		var content []byte
		if !strings.HasSuffix(f.name, "/") {
			var err error
			if content, err = os.ReadFile(f.path); err != nil {
				return err
			}
		}
		header := &tar.Header{Name: prefix + f.name, Mode: f.mode, Size: int64(len(content)), ModTime: date, Format: tar.FormatUSTAR, Uname: "root", Gname: "root"}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// writeTarGz is like writeTar, compressed and in a directory.
func writeTarGz(w io.Writer, dir string, files []file, date time.Time) error {
	zipped, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := writeTar(zipped, dir+"/", files, date); err != nil {
		return err
	}
	return zipped.Close()
}

// writeZip is like writeTarGz, for Windows.
func writeZip(w io.Writer, dir string, files []file, date time.Time) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		content, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: dir + "/" + f.name, Method: zip.Deflate, Modified: date}
		header.SetMode(os.FileMode(f.mode))
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}
