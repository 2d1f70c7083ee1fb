package tools

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// installDynamoDB installs DynamoDB Local in the layout of LocalStack's own installer,
// but from Maven, because the installer's archive has no version. The layout is: jars
// below DynamoDBLocal_lib, a Java agent, and DynamoDBLocal.jar. LocalStack takes the last
// one as the sign that the installation is complete.
//
// sqlite4java's native libraries need no folder: since 2.6, DynamoDB Local's own jar
// contains them for Linux and macOS on both processors, and unpacks the right one.
func installDynamoDB(ctx context.Context, root, dir string, found Found, log io.Writer) error {
	inputs, err := content(root, "localstack/tools/pom.xml", "localstack/tools/dynamodb.go")
	if err != nil {
		return err
	}
	return once(log, "DynamoDB Local", dir, inputs, func() error {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		libs := filepath.Join(dir, "DynamoDBLocal_lib")
		// Without outputDirectory, Maven would create a target folder beside the pom.
		if err := run(ctx, "", []string{"JAVA_HOME=" + found.JavaHome}, found.Maven, "-q", "-B",
			"-f", filepath.Join(root, "localstack", "tools", "pom.xml"),
			"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
			"-DoutputDirectory="+libs, "-DincludeScope=runtime", "-DincludeTypes=jar"); err != nil {
			return err
		}
		agents, err := filepath.Glob(filepath.Join(libs, "byte-buddy-agent-*.jar"))
		if err != nil || len(agents) != 1 {
			return fmt.Errorf("want one byte-buddy-agent among %s, there are %d", libs, len(agents))
		}
		if err := os.Rename(agents[0], filepath.Join(dir, "ddb-local-loader-0.1.jar")); err != nil {
			return err
		}
		return writeLauncher(dir, libs)
	})
}

const log4j = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="Console" target="SYSTEM_OUT"><PatternLayout pattern="%d{HH:mm:ss.SSS} %-5level %logger{36} - %msg%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="Console"/></Root></Loggers>
</Configuration>
`

// writeLauncher writes DynamoDBLocal.jar: a manifest that names the other jars, and the
// configuration of its log.
func writeLauncher(dir, libs string) (err error) {
	jars, err := filepath.Glob(filepath.Join(libs, "*.jar"))
	if err != nil || len(jars) == 0 {
		return fmt.Errorf("no jars in %s: %w", libs, fs.ErrNotExist)
	}
	classPath := []string{"."}
	for _, jar := range jars {
		classPath = append(classPath, "DynamoDBLocal_lib/"+filepath.Base(jar))
	}
	file, err := os.Create(filepath.Join(dir, "DynamoDBLocal.jar"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	archive := zip.NewWriter(file)
	entries := []struct{ name, content string }{
		{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n" + fold("Class-Path: "+strings.Join(classPath, " ")) +
			"Main-Class: com.amazonaws.services.dynamodbv2.local.main.ServerRunner\r\n\r\n"},
		{"log4j2.xml", log4j},
	}
	for _, e := range entries {
		w, err := archive.Create(e.name)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// fold breaks a manifest line as the JAR specification requires: a line has at most 72
// bytes with its end, and each continuation begins with a blank.
func fold(line string) string {
	var b strings.Builder
	for width := 70; len(line) > width; width = 69 {
		b.WriteString(line[:width] + "\r\n ")
		line = line[width:]
	}
	return b.String() + line + "\r\n"
}
