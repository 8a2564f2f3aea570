def judged_folder(*a,**k): return 0
