from benchmarks._corpus_case import Sketch
def sketches(): return iter(())
