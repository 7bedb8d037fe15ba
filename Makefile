# `make help` lists the commands. The virtual environment is built once and again when the lock changes.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
export PYTHONPATH := src

.DEFAULT_GOAL := help
.PHONY: help install run test check bench speed streams eval fit lock docs clean

help: ## 이 목록을 보여 줍니다
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

install: $(VENV)/.runtime ## 실행에 필요한 패키지와 endy 명령을 설치합니다

$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 이상이 필요해요")'
	$(PYTHON) -m venv $(VENV)
	echo '$(CURDIR)/src' > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/endy.pth"
	printf '#!/bin/sh\nexec "%s/python" -m endy "$$@"\n' "$$(cd $(BIN) && pwd)" > $(BIN)/endy
	chmod +x $(BIN)/endy
	touch $@

$(VENV)/.runtime: requirements.txt $(VENV)/.python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

$(VENV)/.bench: benchmarks/requirements.txt $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.txt
	touch $@

run: install ## 예시 회사로 서버를 엽니다 (PORT, 기본 8000)
	$(BIN)/python run.py

test: $(VENV)/.dev ## 모든 검사와 테스트를 돌립니다
	@command -v chromium >/dev/null || { echo "브라우저 테스트에는 chromium이 필요해요: apt-get install -y chromium fonts-noto-cjk"; exit 1; }
	$(MAKE) check
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile

check: $(VENV)/.dev ## 형식, 타입, 구조, 문서를 몇 초 만에 검사합니다
	$(BIN)/ruff check src tests benchmarks run.py
	$(BIN)/ruff format --check src tests benchmarks run.py
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src run.py
	$(BIN)/python -m pytest tests/test_architecture.py tests/test_documents.py

docs: $(VENV)/.dev ## 설정에서 ENV_SETUP.md의 표를 다시 만듭니다
	$(BIN)/python -m tests.settings_document

bench: $(VENV)/.bench ## 품질을 다른 방법과 나란히 잽니다
	$(BIN)/python -m benchmarks.compare

speed: $(VENV)/.bench ## 속도와 메모리를 잽니다 (몇 분)
	$(BIN)/python -m benchmarks.speed

streams: $(VENV)/.bench ## 스트림 500개를 한꺼번에 열어 봅니다 (몇 분)
	$(BIN)/python -m benchmarks.streams

eval: install ## 예시 지식에 황금 질문을 모두 물어봅니다
	$(BIN)/python -m endy eval benchmarks/golden/*.jsonl --docs knowledge/docs --faq knowledge/faq.json

fit: $(VENV)/.bench ## 순위와 확신의 가중치를 다시 맞춥니다 (benchmarks/fit.py)
	$(BIN)/python -m benchmarks.fit

lock: ## requirements*.txt를 다시 잠급니다
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --group dev -c requirements.txt -o requirements-dev.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --group bench -c requirements-dev.txt -o benchmarks/requirements.txt

clean: ## 가상 환경과 만든 파일을 지웁니다 (데이터는 남깁니다)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
