"""Will Spark start from it, and rightly?"""
