# make demo      install, then the whole sequence on synthetic signers: archives -> frames -> flow -> training -> answers
# make test      install, then ruff and the tests
# make quick     the same without networks, exports, browser and screen: a minute or so
# make install   what the demo needs, alone
# Nothing but python3 (3.11 to 3.13) and make has to be there before; docs/install.md has the same without make.

PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check
# Empty files, named for what is installed: a changed list of requirements is installed anew.
sum = $(shell cat $(1) | cksum | cut -d ' ' -f 1)
READY := .venv/ready-$(call sum,requirements.txt)
TEST_READY := .venv/ready-test-$(call sum,requirements.txt requirements-test.txt)

.PHONY: install demo demo-data demo-model lint quick test

install: $(READY)

$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	    { echo "make: $(PYTHON) is $$($(PYTHON) -V); Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(PIP) -r requirements.txt
	@rm -f .venv/ready-*
	@touch $@

$(TEST_READY): $(READY)
	$(PIP) -r requirements.txt -r requirements-test.txt
	@$(RUN) -c 'from signs.landmarks import models; models.fetch()' 2>/dev/null || echo "no networks that find hands: tests that need them are skipped"
	@rm -f .venv/ready-test-*
	@touch $@

# Sizes were chosen on the validation signers so that all of it takes minutes on two cores without a GPU.
DATA := data_set/demo
MODEL := model/demo
SEED ?= 0
INPUT := --frames 12 --crop 48/54 --normalise mean
RECIPE := --weights none --batch 8 --recipe dropout=0 ema=0.98 --epochs 6 --seed $(SEED)
# yes: landmark.py has found points. Make looks when it comes to a recipe that asks.
POINTED = $(shell test -d $(DATA)/landmark-3fps && echo yes)
CLIP = $$(ls $(DATA)/video/test/008/*.avi | tail -n 1)

demo: demo-model
	$(RUN) evaluate.py --data $(DATA) --model $(MODEL) --split valid test --baselines $(if $(POINTED),,--robustness 9)
	@# the paper's tables are of RGB and flow, so of I3D alone; to look for points in changed videos takes minutes
	$(if $(POINTED),$(RUN) evaluate.py --data $(DATA) --model $(MODEL)-i3d --split valid test --gallery 0 --robustness 9)
	$(RUN) paper_report.py --data $(DATA) --model $(MODEL)$(if $(POINTED),-i3d)
	@# 1: a form does not agree on this processor; it is named, and the others stay
	$(RUN) export.py --data $(DATA) --model $(MODEL) --forms openvino openvino-int8 || test $$? -eq 1
	$(RUN) predict.py --model $(MODEL) $$(for label in 001 009; do ls $(DATA)/video/test/$$label/*.avi | tail -n 1; done)
	$(RUN) livedemo.py --model $(MODEL) --no-window --video $(CLIP)
	@echo
	@echo "open $(MODEL)/report/index.html in a browser: who and what fails; then, with a camera or this clip as the camera:"
	@echo "    $(RUN) livedemo.py --model $(MODEL)"
	@echo "    $(RUN) livedemo.py --model $(MODEL) --video $(CLIP)"

# Both streams of I3D at once, each on a core of its own: on two cores that takes two thirds of the time. With points of
# body and hands the model joins I3D and a network on these.
I3D = TF_NUM_INTRAOP_THREADS=1 $(RUN) train_i3d.py --data $(DATA) --output $(MODEL)$(if $(POINTED),-i3d) $(INPUT) $(RECIPE)
demo-model: demo-data
	$(I3D) --stream flow & flow=$$!; $(I3D) --stream rgb && wait $$flow
	$(if $(POINTED),$(RUN) train_landmark.py --data $(DATA) --output $(MODEL)-points --epochs 30 --seed $(SEED))
	$(if $(POINTED),$(RUN) ensemble.py --model $(MODEL)-i3d $(MODEL)-points --output $(MODEL))

demo-data: install
	$(RUN) prepare_demo.py --output $(DATA)/_download --signers 24
	$(RUN) prepare_chalearn.py --download $(DATA)/_download --output $(DATA)
	$(RUN) frame.py --data $(DATA) --short-side 96
	$(RUN) opticalflow.py --data $(DATA)
	@# 2: the networks that find body and hands cannot be had; why stands in the line before
	$(RUN) landmark.py --data $(DATA) --rate 3 || \
	    { test $$? -eq 2 && echo "make: so the model learns from pictures alone, without points of body and hands"; }

test: lint
	$(RUN) -m pytest

# tests/conftest.py says which tests are left out.
quick: lint
	$(RUN) -m pytest --quick

lint: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
